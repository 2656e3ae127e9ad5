"""The lake in a web browser: pages over the public API of `lake`, which write nothing."""
