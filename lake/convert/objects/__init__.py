"""Objects that are no tables: what they are, and an index of them."""
