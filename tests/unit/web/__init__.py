"""The web side, in this process."""
