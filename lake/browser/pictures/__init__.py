"""Pictures as SVG, drawn on the server: no script, no style, the same in print."""
