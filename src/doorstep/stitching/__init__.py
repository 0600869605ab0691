"""Whose a row is: anonymous ids and other names brought to users, and users to accounts, by rules over time.

Knows no file and no engine: links in, a frozen map with a version out, and the SQL that joins events to it
(docs/identity.md).
"""

from doorstep.stitching.identity_map import IdentityMap, Interval, Membership, Name, Refusal
from doorstep.stitching.links import Aliased, Identified, Joined, Link
from doorstep.stitching.rules import stitch
from doorstep.stitching.units import anonymous_unit, known_unit

__all__ = [
    "Aliased",
    "Identified",
    "IdentityMap",
    "Interval",
    "Joined",
    "Link",
    "Membership",
    "Name",
    "Refusal",
    "anonymous_unit",
    "known_unit",
    "stitch",
]
