"""What a source packed: compressed files and archives."""
