"""The user's own way in: the caller's token from the endpoint that real callers ask."""
