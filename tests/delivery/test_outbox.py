"""What is put into the outbox is there once, with the transaction it was put in."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from doorstep.delivery.outbox import put
from doorstep.registry import Database, DeliveryRow
from outboxes import Outbox, message


def _count(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(DeliveryRow)) or 0


def test_an_id_is_kept_once(either: Outbox) -> None:
    """Within a call, and over calls; what came first holds."""
    two = [message("a"), message("b"), message("a", body={"other": True})]
    assert either.database.write(lambda session: put(session, two, 5)) == 2
    assert either.database.write(lambda session: put(session, [message("b"), message("c")], 6)) == 1
    with either.database.reading() as session:
        kept = session.scalars(select(DeliveryRow).order_by(DeliveryRow.seq)).all()
        assert [(one.id, one.body, one.put_at) for one in kept] == [
            ("a", '{"n":"a"}', 5),
            ("b", '{"n":"b"}', 5),
            ("c", '{"n":"c"}', 6),
        ]


def test_nothing_is_put_by_a_transaction_that_fails(either: Outbox) -> None:
    """Neither the message nor what it tells of."""

    def work(session: Session) -> None:
        put(session, [message("a")], 5)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        either.database.write(work)
    assert _count(either.database) == 0


def test_very_many_are_put_at_once(either: Outbox) -> None:
    """More than one statement may hold, some of them twice."""
    many = [message(str(n % 11_000)) for n in range(12_000)]
    assert either.database.write(lambda session: put(session, many, 5)) == 11_000
    assert _count(either.database) == 11_000
