"""All sections of the configuration together, and where their values come from."""
