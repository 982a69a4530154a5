"""Offers the daemon twice what it can do, and looks at what becomes of those who are served."""
