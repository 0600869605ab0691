"""An outbox with destinations, a clock that a test sets, and receivers on loopback that may be reached."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doorstep.delivery.addresses import Guard
from doorstep.delivery.delivery import Delivery
from doorstep.delivery.destinations import Destinations
from doorstep.delivery.lines import LEASE, Recorded
from doorstep.delivery.outbox import Message, put
from doorstep.delivery.sealing import Seal
from doorstep.delivery.sending import Sending
from doorstep.delivery.signing import new_secret
from doorstep.delivery.targets import Slack, Webhook
from doorstep.registry import Database, open_database

START = 1_770_000_000_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


@dataclass
class Clock:
    """Microseconds UTC, as a test says."""

    now: int = START

    def __call__(self) -> int:
        return self.now


def message(
    id: str,  # noqa: A002
    *,
    to: str = "crm",
    account: str = "acme",
    body: Mapping[str, Any] | None = None,
    not_before: int = 0,
) -> Message:
    """A message that says its own id."""
    return Message(id, to, account, {"n": id} if body is None else body, "cause", not_before)


@dataclass
class Outbox:
    """A database with what is to go out. Chance is none: every delay is as long as it may be."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    key: str = KEY

    @classmethod
    def at(cls, place: Path | str) -> Outbox:
        """The outbox of a place; made when absent."""
        return cls(open_database(place, create=True))

    @property
    def destinations(self) -> Destinations:
        return Destinations(self.database, lambda: Seal([self.key], "the test"))

    def delivery(self, *, whole: float = 2.0, lease: int = LEASE) -> Delivery:
        """Something that delivers; attempts take ``whole`` seconds at most."""
        return Delivery(
            self.database,
            self.destinations,
            self.clock,
            lambda: 0.0,
            lambda allowed: Sending(Guard(allowed), whole=whole),
            lease,
        )

    def webhook(self, name: str, url: str, secret: str | None = None) -> str:
        """Adds a webhook on loopback; its secret."""
        secret = secret or new_secret()
        self.destinations.allow("127.0.0.1", by="eve", at=self.clock())
        self.destinations.add(name, Webhook(url, secret), by="eve", at=self.clock())
        return secret

    def slack(self, name: str, url: str) -> None:
        """Adds a Slack channel on loopback."""
        self.destinations.allow("127.0.0.1", by="eve", at=self.clock())
        self.destinations.add(name, Slack(url), by="eve", at=self.clock())

    def put(self, *messages: Message) -> int:
        """Puts messages at the clock's time."""
        return self.database.write(lambda session: put(session, messages, self.clock()))

    def turn(self, **options: Any) -> Recorded:
        """One turn of a delivery of its own."""
        delivery = self.delivery(**options)
        try:
            return delivery.turn()
        finally:
            delivery.close()
