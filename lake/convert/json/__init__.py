"""JSON to Parquet."""
