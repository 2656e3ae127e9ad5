"""The figures that the README states, each measured beside its peer in one run."""
