"""What is remembered: published versions of definitions, freezes, frozen runs, write keys and saved segments."""

from doorstep.registry.audit import Act, acts, note
from doorstep.registry.batches import Outcome, publish_files
from doorstep.registry.database import Database, open_database
from doorstep.registry.delivery_tables import (
    AllowedHostRow,
    AuditRow,
    DeliveryAttemptRow,
    DeliveryRow,
    DestinationRow,
)
from doorstep.registry.drafts import Draft, draft
from doorstep.registry.keys import WriteKeys
from doorstep.registry.ledger_tables import (
    JourneyAccountRow,
    JourneyMoveRow,
    JourneyRow,
    JourneyTransitionRow,
)
from doorstep.registry.records import Freeze, FrozenRun, NewKey, Publication, RunBounds, SavedSegment, Version, WriteKey
from doorstep.registry.references import Reference, any_definition, definition, journey, reference
from doorstep.registry.registry import Clock, Registry, open_registry
from doorstep.registry.runs import FrozenRuns
from doorstep.registry.segments import SavedSegments
from doorstep.registry.signal_tables import (
    AutomationRow,
    ClaimAccountRow,
    ClaimRow,
    FiringRow,
    SegmentChangeRow,
    SegmentLookRow,
    SegmentMemberRow,
    SegmentSizeRow,
    SignalLookRow,
    TagRow,
    TaskRow,
    WorkflowRunRow,
    WorkflowScheduleRow,
    WorkflowStepRow,
)
from doorstep.registry.spoken import kept

__all__ = [
    "Act",
    "AllowedHostRow",
    "AuditRow",
    "AutomationRow",
    "ClaimAccountRow",
    "ClaimRow",
    "Clock",
    "Database",
    "DeliveryAttemptRow",
    "DeliveryRow",
    "DestinationRow",
    "Draft",
    "FiringRow",
    "Freeze",
    "FrozenRun",
    "FrozenRuns",
    "JourneyAccountRow",
    "JourneyMoveRow",
    "JourneyRow",
    "JourneyTransitionRow",
    "NewKey",
    "Outcome",
    "Publication",
    "Reference",
    "Registry",
    "RunBounds",
    "SavedSegment",
    "SavedSegments",
    "SegmentChangeRow",
    "SegmentLookRow",
    "SegmentMemberRow",
    "SegmentSizeRow",
    "SignalLookRow",
    "TagRow",
    "TaskRow",
    "Version",
    "WorkflowRunRow",
    "WorkflowScheduleRow",
    "WorkflowStepRow",
    "WriteKey",
    "WriteKeys",
    "acts",
    "any_definition",
    "definition",
    "draft",
    "journey",
    "kept",
    "note",
    "open_database",
    "open_registry",
    "publish_files",
    "reference",
]
