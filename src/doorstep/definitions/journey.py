"""A journey, as a value: stages in order, and what an account must have done to be in each (semantics 10).

These models are the language of journey documents: the published JSON Schema and the reference tables come from them.
What criteria mean, all short forms unfolded, is in `criteria`.
"""

from __future__ import annotations

import math
import re
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from doorstep.definitions.durations import PATTERN, Duration, DurationOrZero
from doorstep.definitions.filters import GIVEN, Filters, Model
from doorstep.definitions.funnel import AccountOf, Actor, ExampleEvent, Selector, Stitch, StitchOf
from doorstep.definitions.quoting import quoted

MOST_STAGES: Final = 200
"""More stages than anyone could tell apart."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _stage_id(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _ID.fullmatch(str(value)):
        raise PydanticCustomError(
            "stage_id",
            "{text} cannot be a stage's id. Use a number or a short word of letters, digits, `_`, `-` and `.`.",
            {"text": quoted(value)},
        )
    return str(value)


StageId = Annotated[
    StrictStr,
    BeforeValidator(_stage_id),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_ID.pattern}$"}]}),
]
"""A stage's id; a number is the text of it."""


def _number(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("literal", "{value} is not a number to compare with.", {"value": str(value)})
    return value


Number = Annotated[StrictInt | StrictFloat, BeforeValidator(_number)]
Whole = Annotated[StrictInt, Field(ge=0)]


def _rows(value: object) -> object:
    return {"event": value} if isinstance(value, str | list | tuple) else value


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _long(value: object) -> object:
    return value if isinstance(value, dict | Model) else {"at_least": value}


class Short:
    """Adds to the published schema the short forms that a validator unfolds."""

    def __init__(self, *shorts: JsonSchemaValue) -> None:
        self.shorts = shorts

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [*self.shorts, handler(core)]}


_TEXT: Final[JsonSchemaValue] = {"type": "string"}
_TEXTS: Final[JsonSchemaValue] = {"type": "array", "items": {"type": "string"}}
_LENGTH: Final[JsonSchemaValue] = {"type": "string", "pattern": f"^{PATTERN}$"}


class Occurrence(Selector):
    """Rows of these events that pass these filters, lately or ever."""

    in_last: Duration | None = Field(default=None, description="Only rows of the last so long; default: ever.")


class Counted(Occurrence):
    """How many such rows there are; `at_least: 1` where no bound is given."""

    at_least: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many or more.")
    at_most: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many or fewer.")
    exactly: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many.")


class Summed(Occurrence):
    """The exact sum of a property over such rows; what is no number is left out, and the sum of nothing is 0."""

    property: Annotated[StrictStr, Field(min_length=1)] = Field(description="The property to add up.")
    at_least: Annotated[Number | None, GIVEN] = Field(default=None, description="So much or more.")
    at_most: Annotated[Number | None, GIVEN] = Field(default=None, description="So much or less.")
    exactly: Annotated[Number | None, GIVEN] = Field(default=None, description="So much.")


class DistinctOf(Counted):
    """How many different values a property has in such rows; `at_least: 1` where no bound is given."""

    property: Annotated[StrictStr, Field(min_length=1)] = Field(description="The property whose values are told apart.")


class FeatureUse(Model):
    """One feature of the catalogue was used."""

    name: Annotated[StrictStr, Field(min_length=1)] = Field(description="The feature's name in `features`.")
    in_last: Duration | None = Field(default=None, description="Within the last so long; default: ever.")


class FeaturesUsed(Model):
    """How many features of the catalogue were used; `at_least: 1` where no bound is given."""

    in_last: Duration | None = Field(default=None, description="Within the last so long; default: ever.")
    at_least: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many or more.")
    at_most: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many or fewer.")
    exactly: Annotated[Whole | None, GIVEN] = Field(default=None, description="So many.")


class Age(Model):
    """How old the account is, from `created_at`, else from its first row."""

    at_least: Duration = Field(description="The least age.")


class TimeInStage(Model):
    """How long the account has been in the stage that it is in."""

    at_least: Duration = Field(description="The least time there.")
    stage: StageId | None = Field(default=None, description="Only while it is in this stage; default: in any.")


class Leaves(Model):
    """What can be asked of an account's rows, age and traits; of several keys all must hold."""

    did: Annotated[
        Annotated[Occurrence, BeforeValidator(_rows), Short(_TEXT, _TEXTS)] | None,
        GIVEN,
    ] = Field(default=None, description="There is such a row. An event's name alone will do.")
    did_not: Annotated[
        Annotated[Occurrence, BeforeValidator(_rows), Short(_TEXT, _TEXTS)] | None,
        GIVEN,
    ] = Field(default=None, description="There is no such row.")
    count: Annotated[Counted | None, GIVEN] = Field(default=None, description="How many rows there are.")
    sum: Annotated[Summed | None, GIVEN] = Field(default=None, description="The exact sum of a property.")
    distinct: Annotated[DistinctOf | None, GIVEN] = Field(default=None, description="Different values of a property.")
    feature: Annotated[Annotated[FeatureUse, BeforeValidator(_named), Short(_TEXT)] | None, GIVEN] = Field(
        default=None, description="A feature was used. Its name alone will do."
    )
    features: Annotated[FeaturesUsed | None, GIVEN] = Field(default=None, description="How many features were used.")
    account_age: Annotated[Annotated[Age, BeforeValidator(_long), Short(_LENGTH)] | None, GIVEN] = Field(
        default=None, description="The account is at least so old."
    )
    trait: Annotated[Filters | None, GIVEN] = Field(default=None, description="Tests of the account's traits.")

    @model_validator(mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        if value == {}:
            raise PydanticCustomError(
                "empty",
                "no criterion is given. Write one of {names}.",
                {"names": ", ".join(field.alias or name for name, field in cls.model_fields.items())},
            )
        return value


class Criteria(Leaves):
    """What must hold; of several keys all must."""

    time_in_stage: Annotated[Annotated[TimeInStage, BeforeValidator(_long), Short(_LENGTH)] | None, GIVEN] = Field(
        default=None, description="The account has been in its stage for at least so long."
    )
    all_: Annotated[tuple[Criteria, ...] | None, GIVEN] = Field(
        default=None, alias="all", min_length=1, description="Every one of these holds."
    )
    any_: Annotated[tuple[Criteria, ...] | None, GIVEN] = Field(
        default=None, alias="any", min_length=1, description="At least one of these holds."
    )
    not_: Annotated[Criteria | None, GIVEN] = Field(default=None, alias="not", description="This does not hold.")


class Stage(Model):
    """One stage of a journey."""

    id: StageId = Field(description="Names the stage.")
    name: StrictStr | None = Field(default=None, description="What people call it; default: its id.")
    color: StrictStr | None = Field(default=None, description="The colour it is drawn in.")
    description: StrictStr | None = Field(default=None, description="What it means.")
    criteria: Annotated[Criteria | None, GIVEN] = Field(
        default=None, description="What places an account here; every stage but the first has some."
    )
    rank: Literal["none"] | None = Field(
        default=None, description="`none` keeps it out of the furthest stage ever reached, such as Churned."
    )

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.id


class Movement(Model):
    """How accounts move between stages."""

    backward: StrictBool = Field(default=False, description="Whether an account may fall back.")
    skip: StrictBool = Field(default=True, description="Whether it may pass over stages on its way forward.")
    grace: DurationOrZero = Field(
        default=0, description="How long a stage's criteria must have failed before the account falls back."
    )


class FeatureProperty(Model):
    """The values of one property are the features."""

    property: Annotated[StrictStr, Field(min_length=1)] = Field(description="The property.")


def _catalogue(value: object) -> str:
    by_property = isinstance(value, dict) and set(value) == {"property"} and isinstance(value["property"], str)
    return "property" if isinstance(value, FeatureProperty) or by_property else "named"


FeatureRows = Annotated[Selector, BeforeValidator(_rows), Short(_TEXT, _TEXTS)]
Catalogue = Annotated[
    Annotated[FeatureProperty, Tag("property")] | Annotated[dict[str, FeatureRows], Tag("named")],
    Discriminator(_catalogue),
]


class ExampleTraits(Model):
    """Traits that are set, as keys; `at` says when (default: since birth)."""

    model_config = ConfigDict(extra="allow")

    at: StrictStr | None = Field(default=None, description="An offset from the example's start, or an ISO time.")

    @property
    def values(self) -> dict[str, Any]:
        """Every other key."""
        return dict(self.__pydantic_extra__ or {})


class ExampleMove(Model):
    """A move by hand."""

    at: StrictStr = Field(description="An offset from the example's start, or an ISO time.")
    to: StageId = Field(description="The stage it is moved to.")
    by: StrictStr | None = Field(default=None, description="Who moves it.")
    reason: StrictStr | None = Field(default=None, description="Why.")


class ExpectedTransition(Model):
    """One transition that must come."""

    to: StageId = Field(description="The stage entered.")
    at: StrictStr | None = Field(default=None, description="When: an offset from the first event, or an ISO time.")


class JourneyExpectation(Model):
    """What must come of the example; only what is given is compared."""

    stage: StageId | None = Field(default=None, description="The stage at the end; `none`: the account is unborn.")
    high_water: StageId | None = Field(default=None, description="The furthest stage ever.")
    transitions: tuple[ExpectedTransition, ...] | None = Field(default=None, description="Every transition, in order.")


class JourneyExample(Model):
    """A small timeline of one account, and what must come of it (semantics 9 and 10)."""

    name: StrictStr = Field(description="What the example shows.")
    events: tuple[ExampleEvent, ...] = Field(default=(), description="The account's rows.")
    traits: tuple[ExampleTraits, ...] = Field(default=(), description="What its traits were set to.")
    moves: tuple[ExampleMove, ...] = Field(default=(), description="Moves by hand.")
    until: StrictStr | None = Field(
        default=None, description="The horizon: an offset or an ISO time; default: the last thing that happens."
    )
    expect: JourneyExpectation = Field(description="What must come of it.")


class Journey(Model):
    """A journey definition. Every default is the one of semantics 10."""

    journey: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)] = Field(
        description="The definition's slug: its identity across versions."
    )
    semantics: Literal[1] = Field(default=1, description="The version of the semantics it was written for.")
    title: StrictStr | None = Field(default=None, description="What people call it.")
    description: StrictStr | None = Field(default=None, description="What it is for.")
    owner: StrictStr | None = Field(default=None, description="Who answers for it.")
    tags: tuple[StrictStr, ...] = Field(default=(), description="Words to find it by.")
    count_by: Actor = Field(
        description="The account: an identity column, a property, several of them, stitched ids, or their accounts."
    )
    exclude: tuple[Selector, ...] = Field(default=(), description="Rows that do not exist, not even for birth.")
    movement: Movement = Field(default_factory=Movement, description="How accounts move between stages.")
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=MOST_STAGES, description="The stages, lowest first.")
    features: Catalogue = Field(
        default_factory=dict,
        description="Feature → its rows, or {property: column}: the values of that column are the features.",
    )
    examples: tuple[JourneyExample, ...] = Field(default=(), description="Timelines that are tests.")

    @cached_property
    def positions(self) -> dict[str, int]:
        """Stage id → position, from 0."""
        return {stage.id: position for position, stage in enumerate(self.stages)}

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns whose values name an account: that of known users where ids are stitched, that of accounts where
        those of stitched users are meant.
        """
        if isinstance(self.count_by, AccountOf):
            return (self.count_by.account,)
        return (self.count_by.stitch.known,) if isinstance(self.count_by, StitchOf) else self.count_by

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of a row that say whose it is."""
        stitch, account = self.stitch, self.account
        ids = self.unit_columns if stitch is None else (stitch.known, stitch.anonymous)
        return ids if account is None else (*ids, account)

    @property
    def stitch(self) -> Stitch | None:
        """The columns that are stitched, if any are."""
        actor = self.count_by.account_of if isinstance(self.count_by, AccountOf) else self.count_by
        return actor.stitch if isinstance(actor, StitchOf) else None

    @property
    def account(self) -> str | None:
        """The column of accounts, where those of stitched users are meant."""
        return self.count_by.account if isinstance(self.count_by, AccountOf) else None


__all__ = ["Catalogue", "Criteria", "FeatureProperty", "Journey", "Leaves", "Movement", "Short", "Stage"]
