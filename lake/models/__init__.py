"""Models: SQL files that make curated datasets, their checks, plans and publication."""
