"""What the one-shot commands tell: tables for people, JSON for programs."""
