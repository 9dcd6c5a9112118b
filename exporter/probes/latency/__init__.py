"""Calls to an agent, and what a person would hear."""
