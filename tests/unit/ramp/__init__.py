"""The ramp, without a network."""
