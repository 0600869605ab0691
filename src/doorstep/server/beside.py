"""Work that goes on beside the server, such as bringing what was accepted to where runs see it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from doorstep.errors import DoorstepError

log: Final = logging.getLogger("doorstep.server")


@contextmanager
def repeating(work: Callable[[], object], every: float) -> Iterator[None]:
    """Does the work in a thread of its own, ``every`` seconds after it was last done, and once more at the end. When it
    fails, that is logged and it is done again: what was accepted is safe without it.
    """
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(every):
            _try(work)
        _try(work)

    thread = threading.Thread(target=repeat, name="doorstep-beside")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _try(work: Callable[[], object]) -> None:
    try:
        work()
    except DoorstepError as error:
        log.error("what is done beside the server failed; it will be tried again: %s: %s", error.code, error)
    except Exception:
        log.exception("what is done beside the server failed; it will be tried again")
