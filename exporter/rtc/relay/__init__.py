"""A TURN relay of our own, through which a call goes so that its line can be made worse."""
