"""Output of the one-shot commands: tables for people, JSON for programs."""
