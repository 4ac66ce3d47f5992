"""The store over SQL: SQLite and PostgreSQL."""
