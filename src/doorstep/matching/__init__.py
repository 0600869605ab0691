"""A definition compiled to a plan, and the walk over rows: `reference` says how, `kernel` does it fast."""
