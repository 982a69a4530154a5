"""The edge out for operators: logs that never hold a token."""
