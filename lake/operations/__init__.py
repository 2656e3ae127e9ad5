"""Verbs that look after a lake."""
