"""Keys that are remembered, and work beside the server."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from doorstep.errors import DeliveryError, StoreError
from doorstep.server.access import Doorman
from doorstep.server.beside import repeating


class CountedKeys:
    """One key, and how often it was asked for any."""

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, key: str) -> str | None:
        self.asked += 1
        return "shop" if key == "k" else None


def test_a_good_key_is_asked_for_once_and_a_bad_one_every_time() -> None:
    """So that a store of keys costs little, and a key that is made just now works at once."""
    keys = CountedKeys()

    async def come() -> None:
        doorman = Doorman(keys)
        assert [await doorman.source_of("k") for _ in range(5)] == ["shop"] * 5
        assert keys.asked == 1
        for _ in range(2):
            with pytest.raises(DeliveryError, match="nobody has this write key"):
                await doorman.source_of("other")
        assert keys.asked == 3

    asyncio.run(come())


def test_work_beside_goes_on_when_it_fails_and_is_done_once_more_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """What was accepted last is brought along too."""
    turns: list[int] = []
    third = threading.Event()

    def work() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise ValueError("once")
        if len(turns) == 3:
            third.set()

    with caplog.at_level(logging.ERROR, "doorstep.server"), repeating(work, 0.01):
        assert third.wait(10)
    assert "once" in str(caplog.records[0].exc_info)
    assert len(caplog.records) == 1

    with repeating(lambda: turns.append(-1), 60):
        pass
    assert turns[-1] == -1
    assert not any(thread.name == "doorstep-beside" for thread in threading.enumerate())


def test_what_we_can_tell_of_is_logged_in_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours says what, where and the mend; a traceback is for what nobody foresaw."""

    def work() -> None:
        raise StoreError("cannot-settle-any", "everything waits")

    with caplog.at_level(logging.ERROR, "doorstep.server"), repeating(work, 60):
        pass
    assert [(one.exc_info, "cannot-settle-any: everything waits" in one.message) for one in caplog.records] == [
        (None, True)
    ]
