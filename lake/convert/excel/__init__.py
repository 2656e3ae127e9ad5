"""Excel workbooks to Parquet."""
