"""What the middleware of every framework has in common. Nothing in it is for others."""
