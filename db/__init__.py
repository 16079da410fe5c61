"""PostgreSQL: tables, sessions, and one file of queries per noun."""
