"""What waits goes out at least once, in order within each line, however receivers behave."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from doorstep.delivery.attempts import BROKEN, FIRST, GIVE_UP, LONGEST_REST
from doorstep.delivery.deliveries import deliveries, delivery, replay, replay_all
from doorstep.delivery.lines import LEASE, Recorded, claim
from doorstep.errors import RegistryError
from doorstep.registry import database as registry_database
from doorstep.registry.database import FILE
from outboxes import HOUR, SECOND, START, Outbox, message
from receivers import Came, Says, receiving


def test_what_is_put_goes_out_signed_once_and_in_order(either: Outbox) -> None:
    """To its destination; each account's messages in the order they were put."""
    either.clock.now = time.time_ns() // 1000
    with receiving() as crm, receiving() as other:
        secret = either.webhook("crm", f"{crm.address}/in")
        either.webhook("other", other.address)
        chance = random.Random(1)
        for n in range(300):
            to = chance.choice(["crm", "other"])
            either.put(message(f"m{n:04}", to=to, account=f"a{chance.randrange(7)}", body={"n": n}))
        assert either.turn() == Recorded(delivered=300)
        assert either.turn() == Recorded()
        assert sorted(crm.ids + other.ids) == [f"m{n:04}" for n in range(300)]
        for receiver in (crm, other):
            for account in {one.account for one in deliveries(either.database)}:
                of_line = {one.id for one in deliveries(either.database, account=account, most=1000)}
                came = [one for one in receiver.ids if one in of_line]
                assert came == sorted(came)
        for one in crm.came:
            assert Verifier(secret).verify(one.body, dict(one.headers)) == {"n": int(one.id[1:])}
    (last, *_), tried = delivery(either.database, "m0299"), delivery(either.database, "m0299")[1]
    assert (last.state, last.attempts, last.why, last.next_at) == ("delivered", 1, None, None)
    assert [(one.number, one.status, one.answer, one.failure) for one in tried] == [(1, 200, "ok", None)]
    assert tried[0].latency > 0


def test_what_fails_is_tried_again_later_and_later_and_holds_up_its_line_alone(outbox: Outbox) -> None:
    """The line behind it waits; other accounts go on. The same id and body, each time."""
    refuses = {"m1"}
    with receiving(lambda came: Says(400 if came.id in refuses else 200, b"no")) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(message("m1"), message("m2"), message("x1", account="xerox"))
        assert outbox.turn() == Recorded(delivered=1, failed=1)
        assert outbox.turn() == Recorded()
        outbox.put(message("m3"))
        assert outbox.turn() == Recorded()
        gaps = []
        for _ in range(4):
            (held, *_) = delivery(outbox.database, "m1")
            assert held.next_at is not None
            gaps.append(held.next_at - outbox.clock.now)
            outbox.clock.now = held.next_at - 1
            assert outbox.turn() == Recorded()
            outbox.clock.now += 1
            assert outbox.turn() == Recorded(failed=1)
        assert gaps == [FIRST, 3 * FIRST, 9 * FIRST, 27 * FIRST]
        refuses.clear()
        outbox.clock.now += 81 * FIRST
        assert outbox.turn() == Recorded(delivered=3)
        assert [one for one in crm.ids if one != "x1"] == [*["m1"] * 6, "m2", "m3"]
        assert len({one.body for one in crm.came if one.id == "m1"}) == 1
    assert [one.status for one in delivery(outbox.database, "m1")[1]] == [400] * 5 + [200]


def test_after_three_days_a_message_is_parked_and_its_line_goes_on(outbox: Outbox) -> None:
    """The last attempt is three days after the first; then it is in the list, and can be sent again."""
    refuses = {"m1"}
    with receiving(lambda came: Says(422 if came.id in refuses else 200, b"bad account")) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(message("m1"), message("m2"))
        times = []
        while delivery(outbox.database, "m1")[0].state == "waiting":
            times.append(outbox.clock.now - START)
            outbox.turn()
            outbox.clock.now = max(outbox.clock.now, delivery(outbox.database, "m1")[0].next_at or 0)
        assert times[-1] == GIVE_UP
        assert 10 <= len(times) <= 20
        (parked,) = deliveries(outbox.database, state="parked")
        assert (parked.id, parked.why, parked.attempts) == ("m1", "answered 422", len(times))
        assert crm.ids[-1] == "m2"
        refuses.clear()
        assert replay(outbox.database, ("m1",), by="ann", at=outbox.clock.now) == 1
        assert outbox.turn() == Recorded(delivered=1)
        assert crm.ids[-1] == "m1"
        with pytest.raises(RegistryError, match="only a parked one") as refused:
            replay(outbox.database, ("m1",), by="ann", at=outbox.clock.now)
        assert refused.value.code == "not-parked"
        with pytest.raises(RegistryError, match="Did you mean m1"):
            replay(outbox.database, ("m11",), by="ann", at=outbox.clock.now)


def test_retry_after_is_honoured_for_the_whole_destination(outbox: Outbox) -> None:
    """Nobody is sent to it before, whichever account; then all of them."""
    busy = [True]
    with receiving(lambda _: Says(429, b"", {"Retry-After": "7200"}) if busy[0] else Says()) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(message("m1"))
        assert outbox.turn() == Recorded(failed=1)
        outbox.put(*(message(f"x{n}", account=f"x{n}") for n in range(20)))
        outbox.clock.now = START + 2 * HOUR - SECOND
        assert outbox.turn() == Recorded()
        busy.clear()
        busy.append(False)
        outbox.clock.now = START + 2 * HOUR + SECOND
        assert outbox.turn() == Recorded(delivered=21)
        assert len(crm.came) == 22


def test_hours_of_downtime_cost_few_attempts_and_no_message(outbox: Outbox) -> None:
    """While nobody answers, it is knocked at now and then; when it is back, all go out soon, in order."""
    with receiving() as crm:
        port = int(crm.address.rpartition(":")[2])
    outbox.webhook("crm", f"http://127.0.0.1:{port}/")
    outbox.put(*(message(f"m{n:03}", account=f"a{n % 40}") for n in range(200)))
    failed, deliverer = 0, outbox.delivery()
    while outbox.clock.now < START + 8 * HOUR:
        failed += deliverer.turn().failed
        outbox.clock.now += 200 * SECOND
    deliverer.close()
    assert BROKEN <= failed < 60
    assert outbox.destinations.get("crm").failing_since == START
    with receiving(port=port) as crm:
        outbox.clock.now += LONGEST_REST
        assert outbox.turn() == Recorded(delivered=200)
        assert Counter(crm.ids) == Counter(f"m{n:03}" for n in range(200))
        for account in range(40):
            line = [one for one in crm.ids if int(one[1:]) % 40 == account]
            assert line == sorted(line)
    assert outbox.destinations.get("crm").failures == 0


def test_after_three_days_of_downtime_everything_is_parked_and_nothing_lost(outbox: Outbox) -> None:
    """Also what was never tried because it was not its turn; replayed, all of it goes out in order."""
    with receiving() as crm:
        port = int(crm.address.rpartition(":")[2])
    outbox.webhook("crm", f"http://127.0.0.1:{port}/")
    outbox.put(*(message(f"m{n:03}", account=f"a{n % 5}") for n in range(50)))
    deliverer = outbox.delivery()
    while outbox.clock.now <= START + GIVE_UP + HOUR:
        deliverer.turn()
        outbox.clock.now += 2 * HOUR
    deliverer.close()
    assert len(deliveries(outbox.database, state="parked")) == 50
    outbox.put(message("fresh"))
    assert replay_all(outbox.database, "crm", by="ann", at=outbox.clock.now) == 50
    with receiving(port=port) as crm:
        assert outbox.turn() == Recorded(delivered=51)
        assert [one for one in crm.ids if one != "fresh" and int(one[1:]) % 5 == 0] == [
            f"m{n:03}" for n in range(0, 50, 5)
        ]


def test_a_destination_that_hangs_keeps_no_other_waiting(outbox: Outbox) -> None:
    """What goes elsewhere is delivered meanwhile, also what comes while it hangs."""
    hang = threading.Event()

    def hangs(_: Came) -> Says:
        hang.wait(20)
        return Says(500)

    with receiving(hangs) as slow, receiving() as quick:
        outbox.webhook("slow", slow.address)
        outbox.webhook("quick", quick.address)
        outbox.put(*(message(f"s{n}", to="slow", account=f"a{n}") for n in range(40)))
        outbox.put(*(message(f"q{n}", to="quick", account=f"a{n}") for n in range(40)))
        deliverer = outbox.delivery(whole=4.0)
        thread = threading.Thread(target=deliverer.turn)
        began = time.monotonic()
        thread.start()
        while len(quick.came) < 40 and time.monotonic() - began < 10:
            time.sleep(0.01)
        outbox.put(message("late", to="quick"))
        while len(quick.came) < 41 and time.monotonic() - began < 10:
            time.sleep(0.01)
        assert "late" in quick.ids
        assert time.monotonic() - began < 4.0
        hang.set()
        thread.join()
        deliverer.close()


@pytest.mark.parametrize("status", [500, 302, 404])
def test_a_failing_destination_is_left_alone_for_a_while(outbox: Outbox, status: int) -> None:
    """After a few failures in a row, not each of a thousand accounts tries its luck."""
    with receiving(lambda _: Says(status)) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(*(message(f"m{n}", account=f"a{n}") for n in range(1000)))
        assert BROKEN <= outbox.turn().failed <= 30
        before = len(crm.came)
        outbox.clock.now += FIRST
        assert outbox.turn().failed == 1
        assert len(crm.came) == before + 1


def test_quiet_hours_delay_a_message_and_nobody_behind_it(outbox: Outbox) -> None:
    """What is not to go out yet does not hold up what is."""
    with receiving() as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(message("tomorrow", not_before=START + HOUR), message("now"))
        assert outbox.turn() == Recorded(delivered=1)
        outbox.clock.now = START + HOUR
        assert outbox.turn() == Recorded(delivered=1)
        assert crm.ids == ["now", "tomorrow"]


def test_what_is_leased_is_left_alone_until_the_lease_is_over(either: Outbox) -> None:
    """As after a crash: then it is sent, and what stands behind it after it."""
    with receiving() as crm:
        either.webhook("crm", crm.address)
        either.put(message("m1"))
        assert either.database.write(lambda session: len(claim(session, "crm", "gone", START, 0, LEASE))) == 1
        either.put(message("m2"), message("x1", account="xerox"))
        assert either.turn() == Recorded(delivered=1)
        either.clock.now += LEASE
        assert either.turn() == Recorded(delivered=2)
        assert crm.ids == ["x1", "m1", "m2"]


def test_two_that_deliver_at_once_send_nothing_twice_and_keep_the_order(either: Outbox) -> None:
    """Leases keep them apart."""
    with receiving(lambda _: Says(seconds=0.002)) as crm:
        either.webhook("crm", crm.address)
        either.put(*(message(f"m{n:03}", account=f"a{n % 11}") for n in range(400)))
        both = [either.delivery(), either.delivery()]
        threads = [threading.Thread(target=one.turn) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in both:
            one.close()
        assert either.turn() == Recorded()
        assert sorted(crm.ids) == [f"m{n:03}" for n in range(400)]
        for account in range(11):
            line = [one for one in crm.ids if int(one[1:]) % 11 == account]
            assert line == sorted(line)


def test_messages_to_nobody_are_parked_and_can_be_sent_once_there_is_somebody(outbox: Outbox) -> None:
    """A destination that never was, and one that is removed meanwhile."""
    with receiving() as crm:
        outbox.webhook("gone", crm.address)
        outbox.put(message("m1", to="crm"), message("m2", to="gone"))
        assert outbox.destinations.remove("gone", by="ann", at=START) == 1
        assert outbox.turn() == Recorded(parked=1)
        whys = {one.id: one.why for one in deliveries(outbox.database, state="parked")}
        assert whys == {"m1": "there is no such destination", "m2": "the destination was removed"}
        outbox.webhook("crm", crm.address)
        assert outbox.turn() == Recorded()
        replay(outbox.database, ("m1",), by="ann", at=START)
        assert outbox.turn() == Recorded(delivered=1)


def test_told_to_stop_it_ends_what_it_began_and_begins_nothing(outbox: Outbox) -> None:
    """The rest waits, unleased."""
    stop = threading.Event()

    def behave(_: Came) -> Says:
        stop.set()
        return Says(seconds=0.05)

    with receiving(behave) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(*(message(f"m{n:03}", account=f"a{n % 30}") for n in range(100)))
        deliverer = outbox.delivery()
        done = deliverer.turn(stop.is_set)
        assert 1 <= done.delivered <= 8
        assert len(crm.came) == done.delivered
        assert outbox.turn() == Recorded(delivered=100 - done.delivered)
        deliverer.close()


def test_a_secret_that_cannot_be_opened_keeps_its_messages_waiting_and_no_others(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; with the right key all goes out."""
    right = outbox.key
    with receiving() as crm:
        outbox.webhook("crm", crm.address)
        outbox.key = "A" * 43 + "="
        outbox.webhook("other", crm.address)
        outbox.put(message("m1"), message("m2", to="other"))
        assert outbox.turn() == Recorded(delivered=1)
        assert "nothing is sent to crm" in caplog.text
        outbox.key = right
        assert outbox.turn() == Recorded(delivered=1)


def test_a_slack_message_is_its_text(outbox: Outbox) -> None:
    """As Slack's incoming webhooks want it."""
    with receiving() as slack:
        outbox.slack("owners", f"{slack.address}/services/T0/B0/x")
        outbox.put(message("m1", to="owners", body={"text": "acme fell back"}))
        assert outbox.turn() == Recorded(delivered=1)
        assert json.loads(slack.came[0].body) == {"text": "acme fell back"}


def test_while_another_writes_for_long_nothing_that_was_sent_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As during a large sync: what came of it is kept in mind, and written down afterwards."""
    monkeypatch.setattr(registry_database, "PATIENCE", 0.1)
    outbox = Outbox.at(tmp_path)
    writer = sqlite3.connect(tmp_path / FILE, isolation_level=None, check_same_thread=False)

    def behave(_: Came) -> Says:
        if not writer.in_transaction:
            writer.execute("BEGIN IMMEDIATE")
            threading.Timer(0.6, writer.rollback).start()
        return Says()

    with receiving(behave) as crm:
        outbox.webhook("crm", crm.address)
        outbox.put(message("m1"))
        assert outbox.turn() == Recorded(delivered=1)
        assert crm.ids == ["m1"]
    writer.close()
    outbox.database.close()
