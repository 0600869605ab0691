"""Where events live: accepted durably, settled into tables that any run can name a snapshot of."""

from doorstep.ingest.sink import Accepted, Busy
from doorstep.lake.bulk import Table
from doorstep.lake.importing import Imported
from doorstep.lake.lake import Lake, LakeAt, open_lake, try_import
from doorstep.lake.trial import Trial

__all__ = ["Accepted", "Busy", "Imported", "Lake", "LakeAt", "Table", "Trial", "open_lake", "try_import"]
