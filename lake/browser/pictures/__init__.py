"""Pictures: SVG made on the server, out of what the log and the profiles know; no data are read."""
