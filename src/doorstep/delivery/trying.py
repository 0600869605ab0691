"""A test message to a destination, past the outbox."""

from __future__ import annotations

import json
import secrets
from typing import Any

from doorstep.delivery.attempts import Attempt
from doorstep.delivery.destinations import Destinations
from doorstep.delivery.sending import Sending
from doorstep.delivery.targets import Email, Slack, Target, Webhook

WORDS = "This is a test message of Doorstep."


def try_out(destinations: Destinations, name: str, *, by: str, at: int, to: str | None = None) -> Attempt:
    """Sends one and tells what came of it; the audit log keeps that it was. ``to``: for mail, who gets it.
    RegistryError ``no-such-destination``.
    """
    target = destinations.target(name)
    sending = Sending(destinations.guard())
    try:
        came = sending.send(target, f"test_{secrets.token_hex(12)}", json.dumps(_body(target, to)), at)
    finally:
        sending.close()
    destinations.noted(name, "tested", {"status": came.status, "failure": came.failure}, by=by, at=at)
    return came


def _body(target: Target, to: str | None) -> dict[str, Any]:
    match target:
        case Webhook():
            return {"type": "test", "text": WORDS}
        case Slack():
            return {"text": WORDS}
        case Email():
            return {"subject": "A test", "text": WORDS, **({} if to is None else {"to": to})}


__all__ = ["try_out"]
