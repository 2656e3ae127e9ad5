"""Looking into Parquet files."""
