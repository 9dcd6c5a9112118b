"""Real calls: what the server's webhooks say of each room, and the figures that follow."""
