"""What is noticed when an account moves, and what is done about it."""
