"""A real agent, its local speech and language providers and a server to try everything against."""
