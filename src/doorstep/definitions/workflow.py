"""A workflow, as a value: what sets it off, and what is done then, one after the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from doorstep.definitions.durations import Duration
from doorstep.definitions.filters import GIVEN, Literal_, Model
from doorstep.definitions.funnel import ColumnNames, Selector
from doorstep.definitions.journey import Catalogue, StageId
from doorstep.definitions.membership import ONE_OR_MORE, Membership, SegmentName, Slug, several
from doorstep.definitions.signal import TimeOfDay, Zone

Text = Annotated[StrictStr, Field(min_length=1)]

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class OnTransition(Model):
    """A transition of a journey that is kept."""

    journey: Slug = Field(description="The journey.")
    from_: StageId | None = Field(default=None, alias="from", description="From this stage; default: any.")
    to: StageId | None = Field(default=None, description="To this stage; default: any.")
    moved: Literal["forward", "back", "any"] = Field(default="any", description="Which way.")


class Schedule(Model):
    """Times of day, for every account of which `where` holds then."""

    at: TimeOfDay = Field(description="The time of day, such as 09:00.")
    on: Annotated[tuple[Day, ...], BeforeValidator(several), ONE_OR_MORE] = Field(
        default=(), description="Days of the week; default: every day."
    )
    timezone: Zone = Field(default="UTC", description="The time zone it is meant in.")


def _one_key(cls: type[Model], value: object, what: str) -> object:
    names = [field.alias or name for name, field in cls.model_fields.items()]
    if isinstance(value, dict) and len(set(value) & set(names)) != 1 and not set(value) - set(names):
        raise PydanticCustomError(
            "one_of",
            "exactly one {what} must stand here. Write one of {names}.",
            {"what": what, "names": ", ".join(names)},
        )
    return value


class Trigger(Model):
    """What sets it off: exactly one of these."""

    signal: Annotated[Slug | None, GIVEN] = Field(default=None, description="A signal fired.")
    transition: Annotated[OnTransition | None, GIVEN] = Field(default=None, description="An account moved.")
    entered_segment: Annotated[SegmentName | None, GIVEN] = Field(
        default=None, description="An account entered a segment."
    )
    schedule: Annotated[Schedule | None, GIVEN] = Field(default=None, description="A time has come.")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return _one_key(cls, value, "trigger")

    @property
    def kind(self) -> str:
        """The key that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)


class ToWebhook(Model):
    """A signed POST to a destination."""

    to: Slug = Field(description="The destination's name.")
    body: Annotated[dict[str, Any] | None, GIVEN] = Field(
        default=None, description="The JSON to send; texts in it are templates. Default: all that is known."
    )


class ToSlack(Model):
    """A message in Slack."""

    to: Slug = Field(description="The destination's name.")
    text: Text = Field(description="A template.")
    digest: StrictBool = Field(
        default=True, description="Whether several accounts at once make one message with a line for each."
    )


class ToEmail(Model):
    """An email."""

    to: Slug = Field(description="The destination's name.")
    address: Annotated[Text | None, GIVEN] = Field(
        default=None, description="A template of whom to write to; default: the destination's own address."
    )
    subject: Text = Field(description="A template.")
    text: Text = Field(description="A template.")


class Task(Model):
    """Something for a person to do."""

    title: Text = Field(description="A template.")
    text: Text | None = Field(default=None, description="A template of what else there is to say.")
    owner: Text | None = Field(default=None, description="A template of who should do it.")
    due_in: Duration | None = Field(default=None, description="How long there is for it.")


class Action(Model):
    """One thing to be done: exactly one of these, and `if`."""

    wait: Annotated[Duration | None, GIVEN] = Field(default=None, description="Go on after so long.")
    only_if: Annotated[Membership | None, GIVEN] = Field(
        default=None, description="End here unless this holds of the account now."
    )
    webhook: Annotated[ToWebhook | None, GIVEN] = Field(default=None, description="Post to a webhook.")
    slack: Annotated[ToSlack | None, GIVEN] = Field(default=None, description="Say it in Slack.")
    email: Annotated[ToEmail | None, GIVEN] = Field(default=None, description="Write an email.")
    set_trait: Annotated[dict[str, Literal_] | None, GIVEN] = Field(
        default=None, min_length=1, description="Set traits of the account; texts are templates."
    )
    add_tag: Annotated[Text | None, GIVEN] = Field(default=None, description="Give the account a tag.")
    remove_tag: Annotated[Text | None, GIVEN] = Field(default=None, description="Take a tag from the account.")
    task: Annotated[Task | None, GIVEN] = Field(default=None, description="Open a task.")
    if_: Annotated[Membership | None, GIVEN] = Field(
        default=None, alias="if", description="Pass over this action unless it holds of the account now."
    )

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        names = [name for name in cls.model_fields if name != "if_"]
        if len(set(value) & set(names)) != 1 and not set(value) - {*names, "if"}:
            raise PydanticCustomError(
                "one_of", "an action does exactly one thing. Write one of {names}.", {"names": ", ".join(names)}
            )
        return value

    @property
    def kind(self) -> str:
        """The key that is given."""
        return next(name for name in type(self).model_fields if name != "if_" and getattr(self, name) is not None)


class Workflow(Model):
    """A workflow definition."""

    workflow: Slug = Field(description="The definition's slug: its identity across versions.")
    semantics: Literal[1] = Field(default=1, description="The version of the semantics it was written for.")
    title: StrictStr | None = Field(default=None, description="What people call it.")
    description: StrictStr | None = Field(default=None, description="What it is for.")
    owner: StrictStr | None = Field(default=None, description="Who answers for it.")
    tags: tuple[StrictStr, ...] = Field(default=(), description="Words to find it by.")
    trigger: Trigger = Field(description="What sets it off.")
    count_by: ColumnNames = Field(default=("account_id",), description="Whom its conditions are about.")
    where: Annotated[Membership | None, GIVEN] = Field(
        default=None, description="What must hold of the account when it is set off."
    )
    exclude: tuple[Selector, ...] = Field(default=(), description="Rows that do not exist for its conditions.")
    features: Catalogue = Field(default_factory=dict, description="The features that its conditions ask about.")
    actions: tuple[Action, ...] = Field(min_length=1, max_length=100, description="What is done, in order.")

    @property
    def name(self) -> str:
        """Its slug."""
        return self.workflow


__all__ = ["Action", "OnTransition", "Schedule", "Task", "ToEmail", "ToSlack", "ToWebhook", "Trigger", "Workflow"]
