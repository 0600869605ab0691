"""Histories of journeys that are kept: synced with the lake, announced, moved by hand, handed on."""

from doorstep.ledger.ledger import Ledger
from doorstep.ledger.life import activate, archive, draft, move, pause
from doorstep.ledger.records import Cycle, Head, Hook, Synced, Transition
from doorstep.ledger.sync import sync, take_effect

__all__ = [
    "Cycle",
    "Head",
    "Hook",
    "Ledger",
    "Synced",
    "Transition",
    "activate",
    "archive",
    "draft",
    "move",
    "pause",
    "sync",
    "take_effect",
]
