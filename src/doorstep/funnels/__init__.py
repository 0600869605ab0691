"""Attempts into answers: figures, reports, explanations, and a definition's own examples."""
