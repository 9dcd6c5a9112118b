"""What the commands do that run probes once, for a person who waits."""
