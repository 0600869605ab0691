"""Where events come from: files and data frames, read as rows with an event, a time, identities and properties."""

from doorstep.rows.facts import Facts
from doorstep.rows.needs import Needs
from doorstep.rows.shape import reading
from doorstep.rows.source import EventRows, open_rows
from doorstep.rows.values import Kind, Value

__all__ = ["EventRows", "Facts", "Kind", "Needs", "Value", "open_rows", "reading"]
