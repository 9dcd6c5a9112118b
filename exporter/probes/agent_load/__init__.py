"""How many calls at once an agent carries before a target breaks: its knee."""
