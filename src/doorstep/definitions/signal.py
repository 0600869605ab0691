"""A signal, as a value: a change that somebody wants to know about, and how they want to be told."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, StrictFloat, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from doorstep.definitions.durations import PATTERN, Duration
from doorstep.definitions.filters import GIVEN, Model
from doorstep.definitions.funnel import ColumnNames, Selector, StepId
from doorstep.definitions.journey import Catalogue, Short, StageId
from doorstep.definitions.membership import ONE_OR_MORE, Membership, SegmentName, Slug, several
from doorstep.definitions.quoting import quoted


def _share(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise PydanticCustomError(
            "share", "{text} is no share. Write a number above 0 and up to 1: 0.3 is 30 %.", {"text": quoted(value)}
        )
    return value


def _clock(value: object) -> object:
    hour, colon, minute = value.partition(":") if isinstance(value, str) else ("", "", "")
    two = len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdecimal()
    if not (colon and two and int(hour) < 24 and int(minute) < 60):
        raise PydanticCustomError("clock", "{text} is no time of day. Write 22:00.", {"text": quoted(value)})
    return value


def _zone(value: object) -> object:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "zone", "{text} is no time zone. Write one such as Europe/Berlin.", {"text": quoted(value)}
        ) from None
    return value


_LENGTH: Final = Short({"type": "string", "pattern": f"^{PATTERN}$"})


def _long(value: object) -> object:
    return value if isinstance(value, dict | Model) else {"at_least": value}


Share = Annotated[StrictInt | StrictFloat, BeforeValidator(_share)]
TimeOfDay = Annotated[StrictStr, BeforeValidator(_clock)]
Zone = Annotated[StrictStr, BeforeValidator(_zone)]


class OfStage(Model):
    """A stage of a journey that is kept."""

    journey: Slug = Field(description="The journey.")
    stage: StageId = Field(description="The stage.")


class MovedBack(Model):
    """A move to a lower stage."""

    journey: Slug = Field(description="The journey.")
    from_: StageId | None = Field(default=None, alias="from", description="From this stage; default: any.")
    to: StageId | None = Field(default=None, description="To this stage; default: any.")


class Stuck(Model):
    """An account has been in a stage for so long, told once for each stay."""

    journey: Slug = Field(description="The journey.")
    stage: StageId | None = Field(default=None, description="The stage; default: any but those without a rank.")
    at_least: Duration = Field(description="How long it takes.")


class NoActivity(Model):
    """No row of the account for so long."""

    at_least: Duration = Field(description="How long it takes.")


class Conversion(Model):
    """A published funnel converts less than it should, over its mature attempts alone."""

    funnel: Slug = Field(description="The published funnel; its latest version counts.")
    over: Duration = Field(description="Entries of so long a time are looked at.")
    mature_after: Duration | None = Field(
        default=None, description="That time ends so long before now, so that late conversions have come; default: now."
    )
    below: Annotated[Share | None, GIVEN] = Field(default=None, description="Told when the share falls below this.")
    down_by: Annotated[Share | None, GIVEN] = Field(
        default=None, description="Told when the share is lower by this part than in the time before: 0.2 is a fifth."
    )
    at_step: StepId | None = Field(default=None, description="The share that reaches this step; default: the last.")
    sample: Annotated[StrictInt, Field(ge=1)] = Field(
        default=100, description="Nothing is told of fewer attempts, in either time."
    )


class Drift(Model):
    """What a published funnel relies on is tracked otherwise than usual (see `doorstep drift`)."""

    funnel: Slug = Field(description="The published funnel.")
    recent: Duration | None = Field(default=None, description="What is compared with before; default: 7d.")


class When(Model):
    """The change: exactly one of these."""

    entered: Annotated[OfStage | None, GIVEN] = Field(default=None, description="An account entered a stage.")
    left: Annotated[OfStage | None, GIVEN] = Field(default=None, description="An account left a stage.")
    skipped: Annotated[OfStage | None, GIVEN] = Field(default=None, description="An account passed over a stage.")
    moved_back: Annotated[MovedBack | None, GIVEN] = Field(default=None, description="An account fell back.")
    stuck: Annotated[Stuck | None, GIVEN] = Field(default=None, description="An account is stuck in a stage.")
    entered_segment: Annotated[SegmentName | None, GIVEN] = Field(
        default=None, description="An account entered a segment."
    )
    left_segment: Annotated[SegmentName | None, GIVEN] = Field(default=None, description="An account left a segment.")
    no_activity: Annotated[Annotated[NoActivity, BeforeValidator(_long), _LENGTH] | None, GIVEN] = Field(
        default=None, description="An account went quiet."
    )
    conversion: Annotated[Conversion | None, GIVEN] = Field(default=None, description="A funnel converts badly.")
    drift: Annotated[Drift | None, GIVEN] = Field(default=None, description="Tracking changed.")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        if isinstance(value, dict) and len(set(value) & set(names)) != 1 and not set(value) - set(names):
            raise PydanticCustomError(
                "one_of", "exactly one change must stand here. Write one of {names}.", {"names": ", ".join(names)}
            )
        return value

    @property
    def kind(self) -> str:
        """The key that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)


class QuietHours(Model):
    """Hours in which nobody is told: what happens then is told when they end."""

    from_: TimeOfDay = Field(alias="from", description="When they begin, such as 22:00.")
    to: TimeOfDay = Field(description="When they end, such as 07:00; may be on the next day.")
    timezone: Zone = Field(default="UTC", description="The time zone they are meant in.")


class Announce(Model):
    """Whom to tell, without a workflow."""

    to: Slug = Field(description="The destination's name.")
    as_: Literal["digest", "immediate"] = Field(
        default="digest", alias="as", description="One message of all that a sync found, or one for each."
    )
    text: StrictStr | None = Field(default=None, min_length=1, description="A template; default: what happened.")


class Signal(Model):
    """A signal definition."""

    signal: Slug = Field(description="The definition's slug: its identity across versions.")
    semantics: Literal[1] = Field(default=1, description="The version of the semantics it was written for.")
    title: StrictStr | None = Field(default=None, description="What people call it.")
    description: StrictStr | None = Field(default=None, description="What it is for.")
    owner: StrictStr | None = Field(default=None, description="Who answers for it.")
    tags: tuple[StrictStr, ...] = Field(default=(), description="Words to find it by.")
    kind: Literal["risk", "opportunity", "informational"] = Field(
        default="informational", description="What it means for the account."
    )
    priority: Literal["high", "medium", "low"] = Field(default="medium", description="How much it matters.")
    count_by: ColumnNames = Field(
        default=("account_id",), description="Whose activity is looked at by `no_activity`, and whom `where` is about."
    )
    when: When = Field(description="The change.")
    where: Annotated[Membership | None, GIVEN] = Field(
        default=None, description="What must hold of the account when it is noticed."
    )
    exclude: tuple[Selector, ...] = Field(default=(), description="Rows that are no activity.")
    features: Catalogue = Field(default_factory=dict, description="The features that `where` asks about.")
    cool_down: Annotated[Duration | None, GIVEN] = Field(
        default=None, description="After a firing the same account is left alone for so long."
    )
    quiet_hours: Annotated[QuietHours | None, GIVEN] = Field(default=None, description="When nobody is told.")
    announce: Annotated[tuple[Announce, ...], BeforeValidator(several), ONE_OR_MORE] = Field(
        default=(), description="Whom to tell: one, or a list."
    )

    @property
    def name(self) -> str:
        """Its slug."""
        return self.signal


__all__ = [
    "Announce",
    "Conversion",
    "Drift",
    "MovedBack",
    "NoActivity",
    "OfStage",
    "QuietHours",
    "Share",
    "Signal",
    "Stuck",
    "TimeOfDay",
    "When",
    "Zone",
]
