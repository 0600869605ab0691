"""Standard Webhooks: how a receiver knows that a message is ours, unchanged and no old one sent again.

See https://www.standardwebhooks.com: HMAC-SHA256 over id, time and body, in three headers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from doorstep.errors import RegistryError

PREFIX: Final = "whsec_"
BYTES: Final = 32
FEWEST, MOST = 24, 64
"""Bytes that a secret may have."""


def new_secret() -> str:
    """A secret of 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes to sign with. RegistryError ``bad-secret``, which does not tell the secret."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except binascii.Error:
        found = b""
    if not FEWEST <= len(found) <= MOST:
        raise RegistryError(
            "bad-secret", f"The secret is not {PREFIX} and {FEWEST} to {MOST} bytes in base64. Leave it out to get one."
        )
    return found


def header_id(id: str) -> str:  # noqa: A002
    """An id as the header says it: itself, or its SHA-256 where a header cannot hold it."""
    plain = id.isascii() and id.isprintable() and " " not in id and 0 < len(id) <= 256
    return id if plain else hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()


def signed(secret: str, id: str, at: int, body: bytes) -> Mapping[str, str]:  # noqa: A002
    """The headers of a message; ``at``: microseconds UTC of this attempt."""
    name, seconds = header_id(id), at // 1_000_000
    mac = hmac.new(key_of(secret), f"{name}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


__all__ = ["PREFIX", "header_id", "key_of", "new_secret", "signed"]
