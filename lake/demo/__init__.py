"""`lake demo`: a year of taxi data, from a web server to a warehouse, shown step by step."""
