"""What is noticed when an account moves, and what goes out about it, safely and once."""
