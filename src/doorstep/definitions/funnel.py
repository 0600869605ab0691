"""A funnel, as a value: what a document says once its short forms are unfolded (semantics 1-7 and 9).

These models are the definition language: the published JSON Schema and the reference tables come from them.
Nothing here knows where a document came from; `reading` does.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from doorstep.definitions.conditions import Condition
from doorstep.definitions.durations import PATTERN, Duration, DurationOrZero
from doorstep.definitions.filters import Filters, Model
from doorstep.definitions.quoting import quoted
from doorstep.definitions.windows import Windows
from doorstep.errors import nearest

Ending = Literal["completed", "expired", "excluded"]
Status = Literal["completed", "expired", "open", "excluded", "interrupted"]
ANY_EVENT: Final = "*"
MOST_STEPS: Final = 64
"""A row's matches are the bits of one 64-bit word, so that is how many steps a funnel may have."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _step_id(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _ID.fullmatch(str(value)):
        raise PydanticCustomError(
            "step_id",
            "{text} cannot be a step's id. Use a number or a short word of letters, digits, `_`, `-` and `.`.",
            {"text": quoted(value)},
        )
    return value


_ID_SCHEMA: Final[JsonSchemaValue] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_ID.pattern}$"}]
}
StepId = Annotated[StrictInt | StrictStr, BeforeValidator(_step_id), WithJsonSchema(_ID_SCHEMA)]
"""A step's id as written; ids are compared as text, so ``1`` and ``"1"`` are one id."""


def _event_names(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list | tuple):
        if not names:
            raise PydanticCustomError(
                "event",
                'an empty list of events can never match. Name at least one, or write "*" for every event.',
            )
        for name in names:
            if not isinstance(name, str) or not name:
                raise PydanticCustomError(
                    "event",
                    "{text} is not an event name. Names are non-empty texts; quote one that looks like a number.",
                    {"text": quoted(name)},
                )
        return (ANY_EVENT,) if ANY_EVENT in names else tuple(sorted(set(names)))
    raise PydanticCustomError(
        "event",
        '{text} is not an event name. Write a name, a list of names, or "*" for every event.',
        {"text": quoted(value)},
    )


EventNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_event_names),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        }
    ),
]
"""Sorted distinct event names, or ``("*",)`` for every event."""


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


_COLUMNS_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
ColumnNames = Annotated[
    tuple[Annotated[StrictStr, Field(min_length=1)], ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    _COLUMNS_SCHEMA,
]
"""One identity column or property, or several of them taken together."""


class Selector(Model):
    """The rows with one of these event names that pass these filters."""

    event: EventNames = Field(default=(ANY_EVENT,), description='A name, a list of names, or "*" for every event.')
    filters: Filters = Field(default_factory=Filters, description="Tests of properties; all must hold.")

    @property
    def condition(self) -> Condition:
        """What the filters mean."""
        return self.filters.condition

    @property
    def any_event(self) -> bool:
        """Whether every event name will do."""
        return self.event == (ANY_EVENT,)

    def names(self, event: str) -> bool:
        """Whether rows of this event name may match."""
        return self.any_event or event in self.event


class Stitch(Model):
    """The two columns that say whose a row is: ``known`` after a log-in, ``anonymous`` always, or before."""

    known: Annotated[StrictStr, Field(min_length=1)] = Field(description="The id of a user who is known.")
    anonymous: Annotated[StrictStr, Field(min_length=1)] = Field(
        description="The id of a device or a visitor, known or not."
    )


class StitchOf(Model):
    """Users across their anonymous ids (docs/identity.md)."""

    stitch: Stitch = Field(description="The columns that are stitched.")

    @model_validator(mode="before")
    @classmethod
    def _no_gap(cls, value: object) -> object:
        if isinstance(value, dict) and "gap" in value:
            raise PydanticCustomError(
                "stitch",
                "`gap` has no meaning beside `stitch`. For sessions write {form}.",
                {"form": "count_by: {session_of: {stitch: {known: …, anonymous: …}}, gap: 30m}"},
            )
        return value


class AccountOf(Model):
    """Accounts, with the rows of their members that name none (docs/identity.md)."""

    account_of: StitchOf = Field(description="The users who join accounts.")
    account: Annotated[StrictStr, Field(min_length=1)] = Field(
        default="account_id", description="The id of an account."
    )


_FORMS: Final = {"session_of": "SessionOf", "stitch": "StitchOf", "account_of": "AccountOf"}
"""The key that tells a form of ``count_by`` from the others."""


def _form(value: object, among: Collection[str]) -> str:
    """Which form is meant, so that a mistake in one is not taken for a mistake in another; the first when in doubt."""
    if not isinstance(value, dict):
        return type(value).__name__ if isinstance(value, StitchOf | AccountOf | SessionOf) else "columns"
    keys = [str(key) for key in value]
    known = [key for key in _FORMS if key in among]
    exact = [key for key in known if key in keys]
    near = [found for key in keys if (found := nearest(key, known))]
    return _FORMS[(*exact, *near, known[0])[0]]


Actor = Annotated[
    Annotated[ColumnNames, Tag("columns")]
    | Annotated[StitchOf, Tag("StitchOf")]
    | Annotated[AccountOf, Tag("AccountOf")],
    Discriminator(lambda value: _form(value, ("stitch", "account_of"))),
]
"""Columns whose values name somebody, two that are stitched, or the accounts of those."""


class SessionOf(Model):
    """Sessions derived from activity: a new one starts when the gap to the previous row is greater than ``gap``."""

    session_of: Actor = Field(description="Whose activity is cut into sessions.")
    gap: Duration = Field(description="The longest silence inside one session.")


Unit = Annotated[
    Annotated[ColumnNames, Tag("columns")]
    | Annotated[StitchOf, Tag("StitchOf")]
    | Annotated[AccountOf, Tag("AccountOf")]
    | Annotated[SessionOf, Tag("SessionOf")],
    Discriminator(lambda value: _form(value, _FORMS)),
]


class SubStep(Selector):
    """One step of a branch."""

    id: StepId | None = Field(default=None, description="For windows of later sub-steps of the same branch.")
    name: StrictStr | None = Field(default=None, description="What people call it.")
    window: Windows = Field(
        default=(), description="How late it may be; `prev` of the first is the step before the branch."
    )
    min_gap: Duration | None = Field(default=None, description="How long after the previous one it must be at least.")
    dedupe: Literal["first", "last", "nearest"] = Field(
        default="first", description="Which of several candidates is taken."
    )


class Alternative(Selector):
    """One way to pass an `any_of` step: an event, or a short walk of its own (`steps`)."""

    name: StrictStr | None = Field(default=None, description="The branch's name in reports.")
    window: Windows = Field(default=(), description="How late this way may be taken; not for `steps`.")
    steps: tuple[SubStep, ...] = Field(default=(), description="A walk of several events in place of one.")


class Step(Selector):
    """One door: which rows may pass, how late, and which of several is taken (semantics 2 and 3)."""

    id: StepId = Field(description="Names the step; default: its position.")
    name: StrictStr | None = Field(default=None, description="What people call it; default: its events.")
    any_of: tuple[Alternative, ...] = Field(default=(), description="Alternatives, in place of event and filters.")
    window: Windows = Field(
        default=(),
        description="How late it may be: a duration after prev, entry or a named step; a list means all.",
    )
    min_gap: Duration | None = Field(default=None, description="How long after the previous step it must be at least.")
    dedupe: Literal["first", "last", "nearest"] = Field(
        default="first", description="Which of several candidates is taken."
    )
    optional: StrictBool = Field(default=False, description="May happen here; gates nothing and moves no clock.")
    out_of_order: Duration | None = Field(
        default=None, description="How long before the previous step it may have come."
    )
    first_time: Literal[False, True, "matching"] = Field(
        default=False,
        description="`true`: only the unit's first ever row of the event, which must pass the filters; "
        "`matching`: its first ever row that does.",
    )

    @field_validator("first_time", mode="before")
    @classmethod
    def _no_number_for_a_boolean(cls, value: object) -> object:
        if isinstance(value, bool) or value == "matching":
            return value
        raise PydanticCustomError(
            "first_time",
            "{text} is not a choice for first_time. Write true, false or matching.",
            {"text": quoted(value)},
        )

    @property
    def label(self) -> str:
        """What to call the step: its name, else its events, else its branches."""
        if self.name:
            return self.name
        if self.any_of:
            return " or ".join(branch_label(alternative) for alternative in self.any_of)
        return "any event" if self.any_event else " or ".join(self.event)


def branch_label(alternative: Alternative) -> str:
    """What to call a branch: its name, else its events."""
    if alternative.name:
        return alternative.name
    if alternative.steps:
        return " then ".join(sub.name or " or ".join(sub.event) for sub in alternative.steps)
    return "any event" if alternative.any_event else " or ".join(alternative.event)


class ExcludeBetween(Selector):
    """A row that must not come between two steps (semantics 5)."""

    after: StepId = Field(description="The step after which the row is looked for.")
    before: StepId = Field(description="The step before which it is looked for.")
    effect: Literal["drop", "stop"] = Field(
        default="drop", description="`drop`: the attempt counts nowhere; `stop`: it counts up to the row."
    )


def _selector_or_name(value: object) -> object:
    return {"event": value} if isinstance(value, str) else value


class _AlsoAs:
    """Adds to the published schema a short form that a validator unfolds."""

    def __init__(self, short: JsonSchemaValue) -> None:
        self.short = short

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [self.short, handler(core)]}


class Reentry(Model):
    """When a unit may start again; all keys must hold (semantics 6)."""

    after: Annotated[tuple[Ending, ...], _AlsoAs({"enum": [*get_args(Ending)]})] = Field(
        default=("completed", "expired", "excluded"),
        min_length=1,
        description="Which endings of the previous attempt free the unit.",
    )
    no_within: Duration | None = Field(default=None, description="The least time between two entries.")
    inactive: Duration | None = Field(
        default=None, description="How long before the entry no row may have matched any step."
    )
    event: Annotated[Selector, BeforeValidator(_selector_or_name), _AlsoAs({"type": "string"})] | None = Field(
        default=None, description="A row that must have come since the previous entry."
    )
    below_step: StepId | None = Field(
        default=None, description="The previous attempt reached no step at or after this one."
    )
    interrupt: StrictBool = Field(
        default=False, description="Also while the previous attempt is active, which is then cut short."
    )

    @field_validator("after", mode="before")
    @classmethod
    def _one_ending_or_many(cls, value: object) -> object:
        return _one_or_many(value)


_SHORT_REENTRY: Final = {
    "after_completion": {"after": ["completed"]},
    "after_timeout": {"after": ["completed", "expired"]},
}
_NO_WITHIN: Final = re.compile(r"no_within_(.+)")


def _unfold_reentry(value: object) -> object:
    if isinstance(value, str) and value not in {"never", "always"}:
        within = _NO_WITHIN.fullmatch(value)
        if value in _SHORT_REENTRY:
            return [_SHORT_REENTRY[value]]
        if within:
            return [{"no_within": within[1]}]
        raise PydanticCustomError(
            "reentry",
            "{text} is not a form of re-entry. Write never, always, after_completion, after_timeout, "
            "no_within_<duration>, an object of conditions, or a list of objects.",
            {"text": quoted(value)},
        )
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list) and not value:
        raise PydanticCustomError(
            "reentry", "an empty list never allows a re-entry. Write never, or give at least one object."
        )
    return value


class _ShortForms:
    """Adds to the published schema what `_unfold_reentry` takes besides a list of objects."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        never_or_always, objects = handler(core)["anyOf"]
        return {
            "anyOf": [
                {"enum": [*never_or_always["enum"], *_SHORT_REENTRY]},
                {"type": "string", "pattern": f"^no_within_{PATTERN}$"},
                objects["items"],
                {**objects, "minItems": 1},
            ]
        }


ReentryRule = Annotated[
    Literal["never", "always"] | tuple[Reentry, ...], BeforeValidator(_unfold_reentry), _ShortForms()
]


class ExampleEvent(Model):
    """One row of an example: when, what, and its properties as further keys."""

    model_config = ConfigDict(extra="allow")

    at: StrictStr = Field(description="An offset from the example's start (1d2h) or an ISO time.")
    event: Annotated[StrictStr, Field(min_length=1)] = Field(description="The event's name.")

    @property
    def properties(self) -> dict[str, Any]:
        """Every other key."""
        return dict(self.__pydantic_extra__ or {})


class ExpectedAttempt(Model):
    """What an attempt must look like; only what is given is compared."""

    reached: StrictInt | None = Field(default=None, ge=0, description="How many required steps it reached.")
    status: Literal["completed", "expired", "open", "excluded", "interrupted", "none"] | None = Field(
        default=None, description="How it stands; `none`: there is no attempt."
    )
    at: dict[str, StrictStr] | None = Field(
        default=None, description="Step id → offset from the first event, or an ISO time."
    )


class Expectation(ExpectedAttempt):
    """What must come of the example: of the attempt that stands for the unit, or of each attempt in turn."""

    attempts: tuple[ExpectedAttempt, ...] | None = Field(
        default=None, description="Every attempt, in the order they started."
    )
    counted: StrictInt | None = Field(default=None, ge=0, description="How many attempts count.")


class Example(Model):
    """A small timeline of one unit, and what must come of it (semantics 9). Where the rows hold ids that are stitched,
    the unit is that of the first of them; the rows of others are there to show that they are not its own.
    """

    name: StrictStr = Field(description="What the example shows.")
    events: tuple[ExampleEvent, ...] = Field(min_length=1, description="The unit's rows.")
    as_of: StrictStr | None = Field(
        default=None, description="The data horizon: an offset or an ISO time; default: the last event."
    )
    expect: Expectation = Field(description="What must come of it.")


def _entry(value: object) -> object:
    if not isinstance(value, list | tuple) and value not in ("step1_only", "any_step"):
        raise PydanticCustomError(
            "entry",
            "{text} is not an entry rule. Write step1_only, any_step, or a list of step ids.",
            {"text": quoted(value)},
        )
    return value


class Funnel(Model):
    """A funnel definition. Every default is the one of semantics 2."""

    funnel: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)] = Field(
        description="The definition's slug: its identity across versions."
    )
    semantics: Literal[1] = Field(default=1, description="The version of the semantics it was written for.")
    title: StrictStr | None = Field(default=None, description="What people call it.")
    description: StrictStr | None = Field(default=None, description="What it is for.")
    owner: StrictStr | None = Field(default=None, description="Who answers for it.")
    tags: tuple[StrictStr, ...] = Field(default=(), description="Words to find it by.")
    count_by: Unit = Field(
        description="The unit that is counted: an identity column, a property, several, stitched ids, accounts, or "
        "sessions."
    )
    count: Literal["unique", "attempts"] = Field(default="unique", description="Units once each, or every attempt.")
    exclude: tuple[Selector, ...] = Field(default=(), description="Rows that never count.")
    exclude_units: tuple[Selector, ...] = Field(default=(), description="Units with such a row vanish whole.")
    hold_constant: ColumnNames | tuple[()] = Field(
        default=(), description="Properties that must stay the same through an attempt."
    )
    entry: Annotated[Literal["step1_only", "any_step"] | tuple[StepId, ...], BeforeValidator(_entry)] = Field(
        default="step1_only", description="Where an attempt may start."
    )
    reentry: ReentryRule = Field(default="never", description="When a unit may start again.")
    window: Duration | None = Field(default=None, description="Every step also within this long of the entry.")
    order: Literal["sequential", "consecutive", "any"] = Field(
        default="sequential",
        description="Whether steps come in order, with nothing between, or in any order.",
    )
    match: Literal["declared", "furthest"] = Field(
        default="declared",
        description="The declared walk, or the furthest depth any choice of rows can reach.",
    )
    ties: Literal["allow", "forbid"] = Field(
        default="allow", description="Whether the next step may have the same time."
    )
    represent: Literal["best", "first", "last"] = Field(default="best", description="Which attempt stands for a unit.")
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS, description="The doors, in order.")
    exclude_between: tuple[ExcludeBetween, ...] = Field(
        default=(), description="Rows that must not come between two steps."
    )
    examples: tuple[Example, ...] = Field(default=(), description="Timelines that are tests.")

    @cached_property
    def required(self) -> tuple[int, ...]:
        """Positions (0-based, among all steps) of the required steps, in order."""
        return tuple(position for position, step in enumerate(self.steps) if not step.optional)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Step id, as text → position among all steps."""
        return {str(step.id): position for position, step in enumerate(self.steps)}

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns whose values name a unit (before any cut into sessions); both of them where ids are stitched,
        and that of the account where those have accounts.
        """
        if isinstance(self.actor, tuple):
            return self.actor
        stitch, account = self.stitch, self.account
        assert stitch is not None
        return (stitch.known, stitch.anonymous, *(() if account is None else (account,)))

    @property
    def actor(self) -> tuple[str, ...] | StitchOf | AccountOf:
        """Whose rows belong together, before any cut into sessions."""
        return self.count_by.session_of if isinstance(self.count_by, SessionOf) else self.count_by

    @property
    def stitch(self) -> Stitch | None:
        """The columns that are stitched, if any are."""
        actor = self.actor.account_of if isinstance(self.actor, AccountOf) else self.actor
        return actor.stitch if isinstance(actor, StitchOf) else None

    @property
    def account(self) -> str | None:
        """The column of accounts, where those of stitched users are counted."""
        return self.actor.account if isinstance(self.actor, AccountOf) else None

    @property
    def entry_positions(self) -> tuple[int, ...]:
        """Positions of the steps at which an attempt may start."""
        if self.order == "any" or self.entry == "any_step":
            return self.required
        if self.entry == "step1_only":
            return self.required[:1]
        return tuple(sorted(self.positions[str(step)] for step in self.entry))


__all__ = ["DurationOrZero", "Funnel"]
