"""Figures as pages: HTML that stands by itself. Figures in, text out; whoever asks writes the file."""
