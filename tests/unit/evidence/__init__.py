"""Kept calls."""
