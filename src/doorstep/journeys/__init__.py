"""Journeys: each account in one stage, at every instant (semantics 10)."""
