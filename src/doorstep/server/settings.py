"""How much the server takes, and how it reads it."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are bytes of JSON after decompression.

    ``in_flight_bytes``: of all bodies that are being read or wait to be kept; ``queued_calls``: calls that wait. Beyond
    either, senders are asked to come again (429), so that memory does not grow. ``commit_calls``: about how many calls
    are kept in one transaction. ``body_seconds``: how long a body may take to arrive. ``account_group``: the PostHog
    group type that is the account. ``keep_ip``: keep the address of a sender where a call tells one.
    """

    segment_event_bytes: int = 32 * KIB
    segment_batch_bytes: int = 500 * KIB
    posthog_event_bytes: int = MIB
    posthog_batch_bytes: int = 8 * MIB
    batch_calls: int = 20_000
    in_flight_bytes: int = 32 * MIB
    queued_calls: int = 50_000
    commit_calls: int = 5_000
    body_seconds: float = 30.0
    account_group: str | None = None
    keep_ip: bool = False
