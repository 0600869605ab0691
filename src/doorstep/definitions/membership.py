"""Conditions on an account as people write them, for segments, signals and workflows (semantics 10, *Criteria*).

They ask what criteria of a stage ask, and beside that where the account stands in any journey, its tags, and which
segments it is in. What they mean is in `belonging`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StrictStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from doorstep.definitions.durations import Duration
from doorstep.definitions.filters import GIVEN, Model
from doorstep.definitions.journey import Leaves, StageId

SLUG: Final = r"^[a-z0-9][a-z0-9_-]*$"

Slug = Annotated[StrictStr, Field(pattern=SLUG, max_length=100)]
"""The name of a published definition."""

SegmentName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""The name of a segment; saved lists may have capitals and dots."""


def several(value: object) -> object:
    """A list of one, where one is written alone."""
    return value if isinstance(value, list | tuple) else (value,)


class _OneOrMore:
    """Tells the published schema that one may be written alone."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(core)
        return {"anyOf": [listed["items"], listed]}


ONE_OR_MORE: Final = _OneOrMore()

StageIds = Annotated[tuple[StageId, ...], BeforeValidator(several), Field(min_length=1), ONE_OR_MORE]
"""One stage or several."""


class InStage(Model):
    """The account is in one of these stages of a journey that is kept."""

    journey: Slug = Field(description="The journey.")
    is_: StageIds = Field(alias="is", description="A stage, or several of them.")


class HighWater(Model):
    """The furthest stage that the account ever reached."""

    journey: Slug = Field(description="The journey.")
    at_least: StageId = Field(description="This stage or a higher one.")


class TimeInStageOf(Model):
    """How long the account has been in its stage of a journey without leaving it."""

    journey: Slug = Field(description="The journey.")
    at_least: Duration = Field(description="The least time there.")
    stage: StageId | None = Field(default=None, description="Only while it is in this stage; default: in any.")


class Membership(Leaves):
    """What must hold of an account; of several keys all must."""

    stage: Annotated[InStage | None, GIVEN] = Field(default=None, description="Where it stands in a journey.")
    high_water: Annotated[HighWater | None, GIVEN] = Field(default=None, description="How far it ever came.")
    time_in_stage: Annotated[TimeInStageOf | None, GIVEN] = Field(
        default=None, description="It has been in its stage of a journey for at least so long."
    )
    segment: Annotated[SegmentName | None, GIVEN] = Field(
        default=None, description="It is in this segment: one with criteria, or a saved list."
    )
    tag: Annotated[StrictStr | None, GIVEN] = Field(default=None, min_length=1, description="It has this tag.")
    all_: Annotated[tuple[Membership, ...] | None, GIVEN] = Field(
        default=None, alias="all", min_length=1, description="Every one of these holds."
    )
    any_: Annotated[tuple[Membership, ...] | None, GIVEN] = Field(
        default=None, alias="any", min_length=1, description="At least one of these holds."
    )
    not_: Annotated[Membership | None, GIVEN] = Field(default=None, alias="not", description="This does not hold.")


__all__ = [
    "ONE_OR_MORE",
    "SLUG",
    "HighWater",
    "InStage",
    "Membership",
    "SegmentName",
    "Slug",
    "TimeInStageOf",
    "several",
]
