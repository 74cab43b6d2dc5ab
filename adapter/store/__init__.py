"""The adapter's state: tables, the engine, and the queries the jobs use. SQLite and PostgreSQL alike."""
