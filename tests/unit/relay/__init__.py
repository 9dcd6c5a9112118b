"""The relay of a bad line."""
