"""The commands that run probes once."""
