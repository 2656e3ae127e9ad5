"""PostgreSQL as a source: a table or a query, whole or what is newer, out of one snapshot."""
