"""Segments, signals and workflows in plain words, for people to agree on."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions import journey_words, words
from doorstep.definitions.automation_rules import Automation
from doorstep.definitions.belonging import (
    Belonging,
    Belongs,
    Claim,
    Each,
    Either,
    Ground,
    Neither,
    Reached,
    Remains,
    Stands,
    Tagged,
    belonging_of,
)
from doorstep.definitions.criteria import criterion_of
from doorstep.definitions.kinds import ground_of, kind_of, name_of
from doorstep.definitions.membership import Membership
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Action, Workflow


def describe_automation(of: Automation) -> str:
    """The whole definition as prose."""
    inside = [kind_of(of), name_of(of)] if of.title else [kind_of(of)]
    head = f"{of.title or name_of(of)} ({', '.join([*inside, f'semantics {of.semantics}'])})"
    match of:
        case Segment():
            lines = [
                f"Every {words.columns(of.unit_columns)} of which holds: {conditions(of.criteria, ground_of(of))}."
            ]
        case Signal():
            lines = list(_signal(of))
        case Workflow():
            lines = list(_workflow(of))
    for rule in of.exclude:
        lines.append(f"Rows that are {words.rows(rule)} do not exist.")
    return "\n".join([head, "", *(f"  {line}" for line in lines)]) + "\n"


def conditions(of: Membership | None, ground: Ground) -> str:
    """Conditions in words."""
    return belonging(belonging_of(of, ground))


def belonging(of: Belonging) -> str:
    """What conditions mean, in words."""
    match of:
        case Claim():
            return journey_words.criterion(of.journey, criterion_of(of.journey, 1))
        case Stands():
            return f"it is in {words.listed(of.stages, 'or')} of {of.journey}"
        case Reached():
            return f"it once reached {of.stage} of {of.journey} or higher"
        case Remains():
            stage = "its stage" if of.stage is None else of.stage
            return f"it has been in {stage} of {of.journey} for at least {words.duration(of.least)} without leaving"
        case Belongs():
            return f"it is in the segment {of.segment}"
        case Tagged():
            return f"it has the tag {words.code(of.tag)}"
        case Neither():
            return f"not ({belonging(of.of)})"
        case Each():
            return " and ".join(_grouped(part) for part in of.of) if of.of else "always"
        case Either():
            return " or ".join(_grouped(part) for part in of.of)


def _grouped(part: Belonging) -> str:
    told = belonging(part)
    return f"({told})" if isinstance(part, Each | Either) or (isinstance(part, Claim) and " and " in told) else told


def _signal(of: Signal) -> Iterator[str]:
    yield f"A {of.kind} of {of.priority} priority, told when {change(of)}."
    if of.where is not None:
        yield f"Only where this holds when it is noticed: {conditions(of.where, ground_of(of))}."
    if of.cool_down is not None:
        yield f"After a firing the same account is left alone for {words.duration(of.cool_down)}."
    for one in of.announce:
        how = "one message of all that a sync found" if one.as_ == "digest" else "a message for each"
        yield f"It is told to {one.to}: {how}{f', saying {words.code(one.text)}' if one.text else ''}."
    if of.quiet_hours is not None:
        hours = of.quiet_hours
        yield f"Nobody is told from {hours.from_} to {hours.to} ({hours.timezone}); what happens then is told after."


def change(of: Signal) -> str:
    """What a signal is about."""
    when = of.when
    for verb, stage in (("enters", when.entered), ("leaves", when.left), ("passes over", when.skipped)):
        if stage is not None:
            return f"an account {verb} {stage.stage} of {stage.journey}"
    if when.moved_back is not None:
        back = when.moved_back
        ends = "".join(f" {word} {end}" for word, end in (("from", back.from_), ("to", back.to)) if end is not None)
        return f"an account falls back{ends} in {back.journey}"
    if when.stuck is not None:
        stage_ = "a stage" if when.stuck.stage is None else when.stuck.stage
        return f"an account has been in {stage_} of {when.stuck.journey} for {words.duration(when.stuck.at_least)}"
    if when.no_activity is not None:
        return f"an account has no row for {words.duration(when.no_activity.at_least)}"
    if when.conversion is not None:
        return "; or ".join(_bounds(of))
    if when.drift is not None:
        return f"the tracking that {when.drift.funnel} relies on is otherwise than usual"
    enters = when.entered_segment is not None
    return f"an account {'enters' if enters else 'leaves'} the segment {when.entered_segment or when.left_segment}"


def _bounds(of: Signal) -> Iterator[str]:
    asked = of.when.conversion
    assert asked is not None
    step = "" if asked.at_step is None else f" up to step {asked.at_step}"
    late = "" if asked.mature_after is None else f" that ended {words.duration(asked.mature_after)} ago"
    share = f"the share of mature attempts that {asked.funnel} converts{step}, over {words.duration(asked.over)}{late}"
    enough = f" (of at least {asked.sample:,})"
    if asked.below is not None:
        yield f"{share}, is below {asked.below:.4g}{enough}"
    if asked.down_by is not None:
        yield f"{share}, is lower by a part of {asked.down_by:.4g} than in the time before{enough}"


def _workflow(of: Workflow) -> Iterator[str]:
    yield f"Set off {_trigger(of)}."
    if of.where is not None:
        yield f"Only where this holds then: {conditions(of.where, ground_of(of))}."
    for number, action in enumerate(of.actions):
        when = "" if action.if_ is None else f", if {conditions(action.if_, ground_of(of))}"
        yield f"{number + 1}. {_action(of, action)}{when}."


def _trigger(of: Workflow) -> str:
    trigger = of.trigger
    if trigger.signal is not None:
        return f"when the signal {trigger.signal} fires"
    if trigger.entered_segment is not None:
        return f"when an account enters the segment {trigger.entered_segment}"
    if trigger.schedule is not None:
        days = words.listed(trigger.schedule.on) if trigger.schedule.on else "every day"
        return f"at {trigger.schedule.at} ({trigger.schedule.timezone}), {days}, for each account"
    moved = trigger.transition
    assert moved is not None
    way = "" if moved.moved == "any" else f" {moved.moved}"
    ends = "".join(f" {word} {end}" for word, end in (("from", moved.from_), ("to", moved.to)) if end is not None)
    return f"when an account moves{way}{ends} in {moved.journey}"


def _action(of: Workflow, action: Action) -> str:
    if action.wait is not None:
        return f"Wait {words.duration(action.wait)}"
    if action.only_if is not None:
        return f"Go on only if {conditions(action.only_if, ground_of(of))}"
    if action.webhook is not None:
        return f"Post to {action.webhook.to}"
    if action.slack is not None:
        return f"Say in Slack ({action.slack.to}): {words.code(action.slack.text)}"
    if action.email is not None:
        return f"Write an email ({action.email.to}): {words.code(action.email.subject)}"
    if action.task is not None:
        return f"Open a task: {words.code(action.task.title)}"
    if action.set_trait is not None:
        return f"Set {words.listed(f'{name} to {words.literal(value)}' for name, value in action.set_trait.items())}"
    verb, tag = ("Add", action.add_tag) if action.add_tag is not None else ("Remove", action.remove_tag)
    return f"{verb} the tag {words.code(tag or '')}"


__all__ = ["belonging", "change", "conditions", "describe_automation"]
