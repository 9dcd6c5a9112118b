"""How broken connections to the SFU come back."""
