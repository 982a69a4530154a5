"""The directory in SQL: SQLite for one machine, PostgreSQL for many. The one door to SQLAlchemy and Alembic."""
