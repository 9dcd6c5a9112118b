"""What a worker imports of the distribution in `agent/`."""
