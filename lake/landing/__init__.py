"""Landing: from a source's bytes to versions that nobody can lose."""
