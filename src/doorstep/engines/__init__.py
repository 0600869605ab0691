"""Engines bring a plan to the rows; every one of them runs the same kernel."""
