"""The floor of the method: the same caller against an echo of our own."""
