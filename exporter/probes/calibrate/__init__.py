"""The floor: the same caller against an echo."""
