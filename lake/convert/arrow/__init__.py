"""Arrow IPC to Parquet."""
