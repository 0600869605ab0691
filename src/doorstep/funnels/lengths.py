"""Lengths of time as people read them."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """``2d 4h``, ``3m 20s``, ``0.4s``, ``12ms``; a dash for none."""
    if seconds is None:
        return "–"
    if seconds and abs(seconds) < 0.1:
        return f"{seconds * 1_000:.3g}ms" if abs(seconds) >= 0.001 else f"{seconds * 1_000_000:.3g}µs"
    if seconds < 10:
        return f"{seconds:.3g}s"
    parts, rest = [], round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
