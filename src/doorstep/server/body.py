"""A request's body: read as it comes, unpacked no further than it may grow, parsed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
import zlib
from typing import Final, cast
from urllib.parse import parse_qs

import orjson
from starlette.requests import ClientDisconnect, Request

from doorstep.errors import DeliveryError
from doorstep.ingest.records import Json
from doorstep.server.budget import Hold

_GZIP: Final = b"\x1f\x8b"
_SLACK: Final = 64 * 1024
"""How much larger than its content a compressed body may be."""
_UNREAD: Final = 4 << 20
"""Bytes of a refused body that are still taken in and thrown away, so that its sender gets to read the answer."""
_PATIENCE: Final = 5.0


class Incoming:
    """The body of one request, which can be read or thrown away."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._encoding = request.headers.get("content-encoding", "").strip().casefold()
        self._more = True

    async def read(self, most: int, seconds: float, hold: Hold) -> bytes:
        """The unpacked body. DeliveryError when it is not what its header says, above ``most`` bytes or too slow; Busy
        from ``hold``; ClientDisconnect when the sender hangs up.
        """
        unpacked = _Unpacked(self._encoding, most)
        try:
            async with asyncio.timeout(seconds):
                while self._more:
                    before = len(unpacked.content)
                    unpacked.add(await self._next())
                    hold.grow(len(unpacked.content) - before)
        except TimeoutError:
            self._more = False
            raise DeliveryError("too-slow", f"the body did not arrive within {seconds:g} s. Send it again.") from None
        return unpacked.whole()

    async def drop(self) -> None:
        """Throws away what is left of a body that is not taken, up to a limit."""
        left = _UNREAD
        try:
            async with asyncio.timeout(_PATIENCE):
                while self._more and left > 0:
                    left -= len(await self._next())
        except (TimeoutError, ClientDisconnect):
            return

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._more = False
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        return cast(bytes, message.get("body", b""))


class _Unpacked:
    """Bytes as they come, unpacked. Compressed ones are known by how they begin, whatever the header says."""

    def __init__(self, encoding: str, most: int) -> None:
        if encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise DeliveryError(
                "unsupported-encoding", f"content-encoding {encoding[:40]!r} is not read. Send gzip, or plain JSON."
            )
        self.content = bytearray()
        self._most = most
        self._packed = encoding not in {"", "identity"}
        self._came = 0
        self._first: bytes | None = b""
        self._inflater: zlib._Decompress | None = None

    def add(self, chunk: bytes) -> None:
        self._came += len(chunk)
        if self._came > self._most + _SLACK:
            raise self._too_large()
        if self._first is not None:  # the first two bytes tell
            self._first += chunk
            if len(self._first) < len(_GZIP):
                return
            chunk = self._begin()
        self._unpack(chunk)

    def whole(self) -> bytes:
        if self._first:
            self._unpack(self._begin())
        if self._inflater is not None and not self._inflater.eof:
            raise _damaged("it ends too early")
        return bytes(self.content)

    def _begin(self) -> bytes:
        first, self._first = self._first or b"", None
        if self._packed or first.startswith(_GZIP):
            self._inflater = zlib.decompressobj(wbits=47)
        return first

    def _unpack(self, chunk: bytes) -> None:
        while chunk and self._inflater is not None:
            if self._inflater.eof:  # another member of the same file
                self._inflater = zlib.decompressobj(wbits=47)
            try:
                self.content += self._inflater.decompress(chunk, self._most + 1 - len(self.content))
            except zlib.error as error:
                raise _damaged(str(error)) from None
            self._check()
            chunk = self._inflater.unconsumed_tail or self._inflater.unused_data
        self.content += chunk
        self._check()

    def _check(self) -> None:
        if len(self.content) > self._most:
            raise self._too_large()

    def _too_large(self) -> DeliveryError:
        return DeliveryError(
            "body-too-large", f"a body may take {self._most:,} bytes once unpacked. Send several smaller batches."
        )


def _damaged(why: str) -> DeliveryError:
    return DeliveryError("bad-encoding", f"the body cannot be decompressed: {why[:100]}. Send it again, or unpacked.")


def parse(raw: bytes) -> Json:
    """The JSON of a body, also of a form whose ``data`` is JSON in base64. DeliveryError ``not-json``."""
    if raw.startswith(b"data="):
        raw = _form(raw)
    try:
        return cast(Json, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return _leniently(raw, error)


def _form(raw: bytes) -> bytes:
    told = parse_qs(raw.decode("ascii", "replace"), max_num_fields=20).get("data", [""])[0]
    try:
        return base64.b64decode(told.replace(" ", "+"))
    except (binascii.Error, ValueError):
        return told.encode()


def _leniently(raw: bytes, error: ValueError) -> Json:
    """What Python's and JavaScript's own writers make that is not quite JSON: NaN, infinities and halves of surrogate
    pairs, which become null and question marks. One odd value must not cost a whole batch.
    """
    try:
        told = json.loads(raw, parse_constant=lambda _: None, parse_float=_finite)
        text = json.dumps(told, ensure_ascii=False)
        return cast(Json, orjson.loads(text.encode("utf-8", "replace")))
    except (ValueError, RecursionError):
        raise DeliveryError("not-json", f"the body is not JSON: {error}. Send a JSON object.") from None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
