"""The store, once for every database that speaks SQL: tables, statements, and what a database has to provide."""
