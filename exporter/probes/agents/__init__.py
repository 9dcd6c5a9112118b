"""What LiveKit's server API lists: agents in rooms, and dispatches that no agent answered."""
