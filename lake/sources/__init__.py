"""Where data come from: what a source is asked for, and how its bytes are fetched."""
