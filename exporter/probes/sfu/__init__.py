"""The baseline: round trip, jitter and loss between this host and the SFU."""
