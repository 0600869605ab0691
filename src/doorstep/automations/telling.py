"""What templates show: an account as it is now, and what set things off; times as ISO 8601 in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.claims import batches
from doorstep.definitions.templates import rendered
from doorstep.funnels.result import instant
from doorstep.lake import Lake
from doorstep.registry import DestinationRow, JourneyAccountRow

_TIMES: Final = ("occurred_at", "since", "last_activity")

Traits = Mapping[str, Mapping[str, object]]
"""Account → its traits."""


def traits_of(lake: Lake | None, unit: tuple[str, ...], accounts: Iterable[str], at: int) -> Traits:
    """Traits of accounts that are one identity column's; none without a lake."""
    asked = sorted({one for one in accounts if one})
    if lake is None or len(unit) != 1 or not asked:
        return {}
    return lake.traits_of(unit[0], asked, at)


def account_values(
    session: Session, accounts: Iterable[str], journeys: Mapping[str, str | None], traits: Traits
) -> dict[str, dict[str, Any]]:
    """``account`` of templates, for each: where it stands in the journey that ``journeys`` names, else in any."""
    asked = sorted({one for one in accounts if one})
    row = JourneyAccountRow
    stands: dict[str, dict[str, tuple[str | None, str | None, int | None]]] = {}
    for some in batches(asked):
        query = select(row.account, row.journey, row.stage, row.high_water, row.since).where(
            row.account.in_(some), row.stage.is_not(None)
        )
        for account, journey, stage, high, since in session.execute(query.order_by(row.journey)):
            stands.setdefault(account, {})[journey] = stage, high, since
    found = {}
    for account in asked:
        known, its = traits.get(account, {}), stands.get(account, {})
        stage, high, since = its.get(journeys.get(account) or "") or next(iter(its.values()), (None, None, None))
        found[account] = {
            "id": account,
            "name": known.get("name") or account,
            "owner": known.get("owner"),
            "stage": stage,
            "high_water": high,
            "since": instant(since),
            "traits": dict(known),
        }
    return found


def shown(known: Mapping[str, Any]) -> dict[str, Any]:
    """What set things off, as templates show it: what is not known of it is empty."""
    groups = {"signal": None, "transition": None, "segment": None, **known}
    return {name: _shown(value) for name, value in groups.items() if name != "journey"}


def _shown(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    told = {key: instant(one) if key in _TIMES and isinstance(one, int) else one for key, one in value.items()}
    return {key: ", ".join(map(str, one)) if isinstance(one, list) else one for key, one in told.items()}


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """The same with every text in it rendered."""
    if isinstance(value, str):
        return rendered(value, values)
    if isinstance(value, Mapping):
        return {key: filled(part, values) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [filled(part, values) for part in value]
    return value


def kinds_of(session: Session) -> dict[str, str]:
    """Destination → ``webhook``, ``slack`` or ``email``."""
    return dict(session.execute(select(DestinationRow.name, DestinationRow.kind)).all())


__all__ = ["Traits", "account_values", "filled", "kinds_of", "shown", "traits_of"]
