"""The log: what the lake is, commit by commit."""
