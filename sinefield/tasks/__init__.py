"""What a user asks for: one task a module."""
