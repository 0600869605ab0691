"""Where events live: accepted durably, settled into tables that any run can name a snapshot of."""

from doorstep.lake.inbox import Accepted, Busy
from doorstep.lake.lake import Lake, LakeAt, open_lake

__all__ = ["Accepted", "Busy", "Lake", "LakeAt", "open_lake"]
