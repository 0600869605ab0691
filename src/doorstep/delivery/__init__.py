"""What goes out to others: safely, in order, at least once."""
