"""One attempt to bring one message to one destination."""

from __future__ import annotations

import json
import logging
import ssl
import time
import traceback
from typing import Final

from doorstep.delivery.addresses import Guard
from doorstep.delivery.attempts import Attempt, excerpt, judged, judged_mail
from doorstep.delivery.connecting import WHOLE, trusted
from doorstep.delivery.mailing import Mailer
from doorstep.delivery.posting import Answer, Poster
from doorstep.delivery.signing import signed
from doorstep.delivery.targets import Email, Slack, Target, Webhook, without_secrets
from doorstep.errors import SendingError

log: Final = logging.getLogger("doorstep.delivery")

AGENT: Final = {"User-Agent": "Doorstep", "Content-Type": "application/json"}
_OF_MESSAGE: Final = frozenset({"nobody-to-mail"})
"""Failures that say nothing about the destination."""


class Sending:
    """Sends from several threads; keeps connections for the next message."""

    def __init__(self, guard: Guard, *, trust: ssl.SSLContext | None = None, whole: float = WHOLE) -> None:
        """``whole``: seconds that an attempt may take."""
        context = trusted() if trust is None else trust
        self.guard = guard
        self._poster = Poster(guard, context, whole=whole)
        self._mailer = Mailer(guard, context, whole=whole)

    def send(self, target: Target, id: str, body: str, at: int) -> Attempt:  # noqa: A002
        """What came of it. ``body`` is sent as it is, so that it is the same each time; ``at``: microseconds UTC."""
        began = time.perf_counter_ns()
        try:
            answer = self._answer(target, id, body, at)
        except SendingError as error:
            latency = (time.perf_counter_ns() - began) // 1000
            why = without_secrets(target, error.message)
            return Attempt(at, latency, None, "", why, error.code not in _OF_MESSAGE)
        except Exception as error:  # one message that we fail at must not keep the others from going out
            log.error("a message could not be sent: %s", without_secrets(target, traceback.format_exc()))
            latency = (time.perf_counter_ns() - began) // 1000
            return Attempt(
                at, latency, None, "", f"a fault of doorstep's own: {type(error).__name__}; its log says more."
            )
        latency = (time.perf_counter_ns() - began) // 1000
        told = excerpt(without_secrets(target, answer.text))
        if isinstance(target, Email):
            return judged_mail(at, latency, answer.status, told)
        return judged(at, latency, answer.status, told, answer.retry_after)

    def _answer(self, target: Target, id: str, body: str, at: int) -> Answer:  # noqa: A002
        match target:
            case Webhook():
                raw = body.encode()
                return self._poster.post(target.url, raw, {**AGENT, **signed(target.secret, id, at, raw)})
            case Slack():
                return self._poster.post(target.url, body.encode(), AGENT)
            case Email():
                return self._mailer.mail(target, id, json.loads(body), at)

    def close(self) -> None:
        """Lets go of every connection."""
        self._poster.close()


__all__ = ["Sending"]
