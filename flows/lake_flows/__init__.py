"""The flows: when land, transform and load run, and what is tried again."""
