"""The workers' own HTTP pages."""
