"""Doorstep beside its peers on the same rows: `make bench`. Ratios, never assertions."""
