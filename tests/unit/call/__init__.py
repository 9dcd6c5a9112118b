"""The parts of a call that need no network."""
