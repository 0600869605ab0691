"""Who is who over a lake: what senders say through their own APIs, by the rules of docs/identity.md."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import doorstep
from commands import typed
from doorstep.definitions.reading import load
from doorstep.errors import RunError
from doorstep.frozen import freeze, map_of, rerun
from doorstep.funnels.data_check import check_against
from doorstep.identities import identities, who
from doorstep.ingest import posthog, segment
from doorstep.ingest.calls import Rules
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Record
from doorstep.lake.maps import maps_of
from doorstep.registry import RunBounds, open_registry
from doorstep.stitching import stitch
from said import map_of as map_of_said

NOON = 1_772_366_400_000_000
SECOND = 1_000_000
USERS: dict[str, Any] = {
    "funnel": "users",
    "count_by": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}},
    "steps": [{"event": "visit"}, {"event": "pay", "window": "7d"}],
}
ACCOUNTS: dict[str, Any] = {**USERS, "funnel": "accounts", "count_by": {"account_of": USERS["count_by"]}}
EVERY_ROW: dict[str, Any] = {"count": "attempts", "reentry": "always", "steps": [{"event": "*"}]}


def tell(lake: doorstep.Lake, *records: Record, batch: str = "") -> None:
    lake.accept([Arrival(f"{batch}{number}", 0, "test", (one,)) for number, one in enumerate(records)])
    lake.settle()


def send(lake: doorstep.Lake, reader: Any, *calls: dict[str, Any]) -> None:
    """Calls as a sender's batch, a second apart."""
    timed = [
        {**call, "timestamp": f"2026-03-01T12:00:{second:02}Z", "messageId": f"m{second}", "uuid": f"u{second}"}
        for second, call in enumerate(calls)
    ]
    more = {} if reader is posthog else {"kind": None}
    found = reader.read({"batch": timed}, received_at=NOON, source="s", rules=Rules(event_bytes=32_768), **more)
    assert found.rejected == ()
    lake.accept(found.arrivals)
    lake.settle()


def counted(document: dict[str, Any], lake: Any, **options: Any) -> tuple[list[int], list[str]]:
    """How many reached each step, and the units there are."""
    result = doorstep.run(document, lake, **options)
    return [step.count for step in result.steps], sorted(result.attempts["unit"].to_pylist())


def of_segment(lake: doorstep.Lake) -> None:
    """Ann looks around, is identified, is renamed, and pays; ben, of the same company, only looks around."""
    send(
        lake,
        segment,
        {"type": "track", "event": "visit", "anonymousId": "d1"},
        {"type": "track", "event": "visit", "anonymousId": "d2"},
        {"type": "group", "groupId": "acme", "anonymousId": "d1"},
        {"type": "identify", "anonymousId": "d1", "userId": "ann"},
        {"type": "alias", "previousId": "ann-before", "userId": "ann"},
        {"type": "track", "event": "visit", "userId": "ann", "anonymousId": "d1"},
        {"type": "track", "event": "visit", "userId": "ben", "context": {"groupId": "acme"}},
        {"type": "track", "event": "pay", "userId": "ann-before"},
        {"type": "track", "event": "pay", "userId": "zoe"},
    )


def of_posthog(lake: doorstep.Lake) -> None:
    """The same people in PostHog's words."""
    anonymous = {"$process_person_profile": False, "$is_identified": False}
    grouped = {"$groups": {"account": "acme"}}
    send(
        lake,
        posthog,
        {"event": "visit", "distinct_id": "d1", "properties": anonymous},
        {"event": "visit", "distinct_id": "d2", "properties": anonymous},
        {
            "event": "$groupidentify",
            "distinct_id": "d1",
            "properties": {"$group_type": "account", "$group_key": "acme"},
        },
        {"event": "$identify", "distinct_id": "ann", "properties": {"$anon_distinct_id": "d1", **grouped}},
        {"event": "$create_alias", "distinct_id": "ann", "properties": {"alias": "ann-before", "distinct_id": "ann"}},
        {"event": "visit", "distinct_id": "ann", "properties": grouped},
        {"event": "visit", "distinct_id": "ben", "properties": grouped},
        {"event": "pay", "distinct_id": "ann-before", "properties": {}},
        {"event": "pay", "distinct_id": "zoe", "properties": {}},
    )


@pytest.mark.parametrize("sent", [of_segment, of_posthog])
def test_a_funnel_follows_devices_names_and_accounts(lake: doorstep.Lake, sent: Any) -> None:
    """By users the payment of another name is ann's; by accounts it is acme's, since ann had joined it by then."""
    sent(lake)
    assert counted(USERS, lake) == ([3, 1], ["ann", "anonymous:d2", "ben"])
    assert counted(ACCOUNTS, lake) == ([1, 1], ["acme"])
    assert doorstep.run(ACCOUNTS, lake).unit == "account_id of stitched user_id"
    told = doorstep.explain(ACCOUNTS, lake, "acme")
    assert [one.status for one in told.attempts] == ["completed"]
    assert doorstep.explain(USERS, lake, "ann").rows == doorstep.run(USERS, lake).data.rows - 3
    with pytest.raises(
        RunError, match=r"'ann-before' is an id of user_id, whose rows are those of 'ann'. Ask for that."
    ):
        doorstep.explain(USERS, lake, "ann-before")


def test_a_definition_that_asks_for_no_members_counts_rows_with_an_account_alone(lake: doorstep.Lake) -> None:
    """`count_by: account_id` means what it meant: the account that the row itself names."""
    of_segment(lake)
    plain = {**USERS, "count_by": "account_id"}
    assert counted(plain, lake) == ([1, 0], ["acme"])
    assert doorstep.run(plain, lake).data.map_version is None


def test_an_alias_after_the_horizon_is_not_known_yet(lake: doorstep.Lake) -> None:
    """Nor is a membership; the map has another version."""
    of_segment(lake)
    early = doorstep.run(USERS, lake, as_of="2026-03-01T12:00:03Z")
    assert sorted(early.attempts["unit"].to_pylist()) == ["ann", "anonymous:d2"]
    assert counted(ACCOUNTS, lake, as_of="2026-03-01T12:00:01Z") == ([0, 0], [])
    assert early.data.map_version != doorstep.run(USERS, lake).data.map_version


def _random(seed: int) -> list[Record]:
    """Few ids at few times, so that they meet in every way."""
    draw = random.Random(seed)

    def one() -> Record:
        ids, time = ["a", "b", "c", "d", "anonymous:a"], NOON + draw.randrange(30) * SECOND
        match draw.randrange(8):
            case 0 | 1:
                return Identify(draw.choice(ids), draw.choice(ids), time)
            case 2:
                return Alias(draw.choice(ids), draw.choice(ids), time)
            case 3:
                user, device = draw.choice([(draw.choice(ids), None), (None, draw.choice(ids))])
                return Member(draw.choice(["acme", "bolt"]), time, user, device)
            case _:
                account = draw.choice([None, None, None, "acme", "bolt"])
                user, device = draw.choice([*ids, None]), draw.choice([*ids, None])
                return Event("visit", time, user or (None if device else "e"), device, account)

    return [one() for _ in range(60)]


@pytest.mark.parametrize("seed", range(3))
def test_every_row_has_the_unit_and_account_of_the_rules(lake: doorstep.Lake, seed: int) -> None:
    """Whatever was said, in calls and in rows; the map has the digest, and the refusals, of the rules."""
    said = _random(seed)
    tell(lake, *said)
    events = [one for one in said if isinstance(one, Event)]
    as_of = max(one.time for one in events)
    heard = [one for one in said if one.time <= as_of and not isinstance(one, Event)]
    in_rows = [Identify(one.anonymous_id, one.user_id, one.time) for one in events if one.anonymous_id and one.user_id]
    members = [Member(one.account_id, one.time, one.user_id, one.anonymous_id) for one in events if one.account_id]
    expected = map_of_said([*heard, *in_rows, *members])  # type: ignore[list-item]

    def rows(document: dict[str, Any]) -> Counter[tuple[str, int]]:
        attempts = doorstep.run({**document, **EVERY_ROW}, lake).attempts
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        times = [(at - epoch) // timedelta(microseconds=1) for at in attempts["entered_at"].to_pylist()]
        return Counter(zip(attempts["unit"].to_pylist(), times, strict=True))

    units = [(expected.unit_of(one.user_id, one.anonymous_id, one.time), one) for one in events]
    accounts = [(one.account_id or expected.account_of(unit, one.time), one.time) for unit, one in units]
    assert rows(USERS) == Counter((unit, one.time) for unit, one in units)
    assert rows(ACCOUNTS) == Counter((account, time) for account, time in accounts if account is not None)
    found = identities(lake)
    assert found.map_version.partition("-")[2] == expected.digest[:12]
    assert found.refused == expected.refused


def test_a_map_has_a_number_that_grows_when_it_says_something_else(lake: doorstep.Lake) -> None:
    """Events that link nothing leave it as it was; so do links that were known. Each is named once, for ever."""
    tell(lake, Event("visit", NOON, anonymous_id="d1"), Identify("d1", "ann", NOON), batch="a")
    first = doorstep.run(USERS, lake).data
    tell(lake, Event("pay", NOON + 1, user_id="ann"), Identify("d1", "ann", NOON + 1), batch="b")
    again = doorstep.run(USERS, lake).data
    tell(lake, Identify("d2", "ann", NOON + 1), batch="c")
    other = doorstep.run(USERS, lake).data
    assert first.map_version == again.map_version
    assert str(first.map_version).startswith("1-")
    assert str(other.map_version).startswith("2-")
    assert first.snapshot is not None
    assert doorstep.run(USERS, lake.at(first.snapshot)).data.map_version == first.map_version
    assert doorstep.run(USERS, lake).to_dict()["data"]["map_version"] == other.map_version
    assert [(one.number, one.snapshot) for one in maps_of(lake.place)] == [(1, first.snapshot), (2, other.snapshot)]
    assert stitch([]).digest != maps_of(lake.place)[0].digest


def test_a_map_of_a_lake_that_cannot_be_written_has_no_number(lake: doorstep.Lake) -> None:
    """The run is done all the same; the digest still names what was used."""
    of_segment(lake)
    lake.place.maps.mkdir()
    assert str(doorstep.run(USERS, lake).data.map_version).startswith("0-")


def test_what_is_excluded_says_nothing_and_shows_in_the_version(lake: doorstep.Lake) -> None:
    """The version names the map of the run, not of the lake as a whole."""
    tell(lake, Event("visit", NOON, "ann", "d1"), Event("pay", NOON + 1, None, "d1"))
    whole, without = (doorstep.run({**USERS, **more}, lake) for more in ({}, {"exclude": [{"event": "visit"}]}))
    assert (whole.data.matched, without.data.matched) == (2, 1)
    assert whole.data.map_version != without.data.map_version


def test_check_says_when_rows_lack_the_account_that_their_users_had_joined(lake: doorstep.Lake) -> None:
    """By `group` calls of users and devices, and by rows that hold both; what came before is nobody's."""
    funnel = load({**USERS, "count_by": "account_id"})

    def found() -> list[str]:
        return [one.message for one in check_against(funnel, lake) if one.code == "unstitched-accounts"]

    tell(
        lake, Event("visit", NOON, "ann"), Event("visit", NOON + 9, account_id="acme"), Event("visit", NOON + 1, "eve")
    )
    assert found() == []
    tell(lake, Member("acme", NOON + 5, "ann"), Member("acme", NOON + 5, anonymous_id="d1"), batch="joined")
    assert found() == []
    tell(lake, Event("pay", NOON + 5, "ann"), Event("pay", NOON + 6, anonymous_id="d1"), batch="more")
    (said,) = found()
    assert "2 rows name no `account_id`" in said
    tell(lake, Event("visit", NOON, "ben", account_id="bolt"), Event("pay", NOON + 7, "ben"), batch="rows")
    assert "3 rows" in found()[0]
    stitched = load(ACCOUNTS)
    assert [one for one in check_against(stitched, lake) if one.path == "count_by"] == []


def test_a_frozen_run_of_several_breakdowns_is_counted_again(lake: doorstep.Lake, tmp_path: Path) -> None:
    """The most entered values and the others, as they were, whatever came since."""
    rows = [Event("visit", NOON + n, f"u{n}", properties={"plan": f"p{min(n, 2)}", "os": "ios"}) for n in range(5)]
    tell(lake, *rows)
    by, top = ("plan@last", "os"), 1
    with open_registry(tmp_path / "registry", lambda: NOON) as registry:
        registry.publish(USERS, by="ana")
        result = doorstep.run(USERS, lake.at(lake.snapshot().id), breakdown=by, top=top)
        assert [str(value) for value, _ in result.breakdown] == ["('p2', 'ios')", "other (2 values)"]
        bounds = RunBounds(result.data.as_of, breakdown=by, top=top)
        kept = freeze(registry, lake, USERS["funnel"], 1, result, bounds, by="ana")
        tell(lake, Event("visit", NOON, "late", properties={"plan": "p9", "os": "ios"}), batch="late")
        assert rerun(registry, lake, kept.id).same


def test_a_frozen_run_keeps_its_map(lake: doorstep.Lake, tmp_path: Path) -> None:
    """Late links move a run of today and not the frozen one; a map that is not the one of then is told."""
    of_segment(lake)
    with open_registry(tmp_path / "registry", lambda: NOON) as registry:
        registry.publish(ACCOUNTS, by="ana")
        result = doorstep.run(ACCOUNTS, lake.at(lake.snapshot().id))
        kept = freeze(registry, lake, "accounts", 1, result, RunBounds(result.data.as_of), by="ana")
        assert map_of(kept) == result.data.map_version
        assert kept.map_version == 1
        tell(lake, Member("bolt", NOON, "ann"), Identify("d2", "zoe", NOON), batch="late")
        assert doorstep.run(ACCOUNTS, lake).data.map_version != map_of(kept)
        lake.place.maps.unlink()
        assert doorstep.run(USERS, lake).data.map_version is not None  # takes the number that the frozen run's map had
        again = rerun(registry, lake, kept.id)
        assert (again.same, again.other_map) == (True, None)
        spoilt = {**kept.figures, "data": {**kept.figures["data"], "map_version": "1-0123456789ab"}}
        run = registry.runs.keep(
            "accounts", 1, snapshot=kept.snapshot, map_version=1, bounds=kept.bounds, figures=spoilt, by="eve"
        )
        other = rerun(registry, lake, run.id)
        assert not other.same
        assert str(other.other_map).startswith("the identity map was 1-0123456789ab then, and is ")


def test_refused_merges_are_listed(lake: doorstep.Lake) -> None:
    """With reason, ids, time and sentence; calls later than the last event are told apart."""
    of_segment(lake)
    tell(
        lake,
        Identify("d3", "ben", NOON + SECOND),
        Alias("ann", "ben", NOON + 5 * SECOND),
        Identify("d4", "x", NOON),
        Identify("d4", "w", NOON),
        Member("bolt", NOON + 6 * SECOND, "ben"),
        Alias("p", "q", NOON + 60 * SECOND),
        batch="more",
    )
    found = identities(lake)
    assert [(one.reason, one.ids) for one in found.refused] == [
        ("same-time", ("d4", "x")),
        ("two-users", ("ann", "ben")),
        ("two-accounts", ("ben", "bolt")),
    ]
    assert (found.devices, found.users, found.aliases, found.members, found.accounts) == (3, 3, 1, 1, 1)
    assert found.later == 1
    assert found.users_version == doorstep.run(USERS, lake).data.map_version
    assert found.map_version == doorstep.run(ACCOUNTS, lake).data.map_version
    assert found.to_dict()["refused"][0] == {
        "reason": "same-time",
        "ids": ["d4", "x"],
        "at": "2026-03-01T12:00:00Z",
        "message": "d4 was linked to w at the same time; x is passed over.",
    }


def test_an_id_is_told_with_all_that_belongs_to_it(lake: doorstep.Lake) -> None:
    """Asked by any of its names; as a device, whose it was when; as an account, who joined."""
    of_segment(lake)
    tell(lake, Identify("d1", "ben", NOON + 7 * SECOND), batch="more")
    ann, device, account = who(lake, "ann"), who(lake, "d1"), who(lake, "acme")
    assert ann.names == ("ann-before",)
    turn = ("d1", "ann", None, "2026-03-01T12:00:07Z")
    assert [(one.one, one.owner, one.since, one.until) for one in ann.devices] == [turn]
    assert [(one.owner, one.since, one.until) for one in ann.accounts] == [("acme", "2026-03-01T12:00:02Z", None)]
    before = who(lake, "ann-before")
    assert (before.kept, before.names, before.devices, before.accounts) == ("ann", (), ann.devices, ann.accounts)
    assert [(one.owner, one.since) for one in device.owners] == [("ann", None), ("ben", "2026-03-01T12:00:07Z")]
    assert [one.one for one in account.members] == ["ann", "ben"]
    assert who(lake, "zoe").accounts == ()
    with pytest.raises(RunError, match=r"has the id 'ann-befor'. Did you mean 'ann-before'\?") as caught:
        who(lake, "ann-befor")
    assert caught.value.code == "no-such-id"


def test_a_lake_without_events_has_a_map_too(lake: doorstep.Lake) -> None:
    """Of the calls that it keeps, or of nothing."""
    assert identities(lake).devices == 0
    tell(lake, Identify("d1", "ann", NOON))
    assert (identities(lake).devices, who(lake, "d1").owners[0].owner) == (1, "ann")


def test_the_command_prints_one_json_document(lake: doorstep.Lake) -> None:
    """Of the map, of an id, and of an error, which has exit code 2."""
    of_segment(lake)

    def said(*words: str) -> tuple[int, Any]:
        done = typed(lake.place.directory, "identity", *words, "--lake", ".", "--json")
        return done.returncode, done.json

    code, found = said()
    assert (code, found["aliases"], found["accounts"], found["refused"]) == (0, 1, 1, [])
    code, person = said("who", "ann-before")
    assert (code, person["kept"], person["map_version"]) == (0, "ann", found["map_version"])
    code, refusal = said("who", "nobody")
    assert (code, refusal["error"]["code"]) == (2, "no-such-id")
