"""Events over HTTP: a 200 means that what was sent is on disk."""

from doorstep.server.access import Keys
from doorstep.server.app import create_app
from doorstep.server.settings import Settings

__all__ = ["Keys", "Settings", "create_app"]
