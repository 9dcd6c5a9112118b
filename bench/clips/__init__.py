"""How the clips and sounds that the caller plays are made; run by hand, never by a user."""
