"""Whatever came, as Parquet of the same rows: no value changed, no row lost."""
