"""Calls that are kept to be seen and heard: their sound, their timeline, their log."""
