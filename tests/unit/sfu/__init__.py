"""What the measurement of the SFU computes, without any network."""
