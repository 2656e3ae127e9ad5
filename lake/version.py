"""The version of this program, as its package metadata say it."""

VERSION = "0.1.0"
