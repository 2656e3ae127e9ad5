"""Records of a program to Parquet."""
