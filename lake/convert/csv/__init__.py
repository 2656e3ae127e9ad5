"""CSV to Parquet."""
