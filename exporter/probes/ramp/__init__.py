"""How many clients the SFU carries: its knee."""
