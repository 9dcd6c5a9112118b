"""Which ways to the SFU are open from this host."""
