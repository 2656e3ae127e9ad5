"""Schemas of files, and how many of them become one."""
