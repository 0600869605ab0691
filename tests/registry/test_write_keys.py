"""Write keys: shown once, kept as a hash, verified, revoked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from doorstep.errors import RegistryError
from doorstep.registry import Registry, open_registry
from doorstep.registry.database import FILE
from registry.conftest import Ticking

MINUTE = 60_000_000


def test_a_new_key_verifies_until_it_is_revoked(registry: Registry) -> None:
    """And then never again; its times are kept."""
    made = registry.keys.create("web")
    found = registry.keys.verify(made.secret)
    assert found is not None
    assert (found.name, found.created_at, found.last_used_at) == ("web", 1_000_001, 1_000_002)
    gone = registry.keys.revoke("web")
    assert gone.revoked_at == 1_000_003
    assert registry.keys.verify(made.secret) is None
    assert registry.keys.all() == (gone,)


def test_what_is_not_a_key_does_not_verify(registry: Registry) -> None:
    """Nearly right, empty, and not even text."""
    secret = registry.keys.create("web").secret
    for wrong in (secret[:-1], secret + "0", secret.upper(), "", "\ud800", "é", "0" * 100_000):
        assert registry.keys.verify(wrong) is None


def test_keys_are_long_random_and_told_apart(registry: Registry) -> None:
    """256 bits each, safe as a user name of Basic auth, and each verifies as itself."""
    made = {name: registry.keys.create(name).secret for name in ("web", "app", "server")}
    assert len(set(made.values())) == 3
    for name, secret in made.items():
        found = registry.keys.verify(secret)
        assert found is not None
        assert found.name == name
        assert len(secret) == len("dsk_") + 64
        assert secret.replace("_", "").isalnum()


def test_a_live_name_is_taken_and_a_revoked_one_is_free(registry: Registry) -> None:
    """So that a list of keys can be read."""
    registry.keys.create("web")
    with pytest.raises(RegistryError, match="already"):
        registry.keys.create(" web ")
    registry.keys.revoke("web")
    registry.keys.create("web")
    with pytest.raises(RegistryError, match="Did you mean 'web'"):
        registry.keys.revoke("wep")
    assert [one.revoked_at is None for one in registry.keys.all()] == [False, True]


def test_the_last_use_is_kept_to_the_minute(registry: Registry, clock: Ticking) -> None:
    """A batch every millisecond does not write every millisecond."""
    secret = registry.keys.create("web").secret
    registry.keys.verify(secret)
    first = registry.keys.all()[0].last_used_at
    registry.keys.verify(secret)
    assert registry.keys.all()[0].last_used_at == first
    clock.now += MINUTE
    registry.keys.verify(secret)
    assert registry.keys.all()[0].last_used_at == clock.now


def test_a_clock_that_jumps_back_does_not_bring_a_last_use_back(registry: Registry, clock: Ticking) -> None:
    """The key still verifies."""
    secret = registry.keys.create("web").secret
    registry.keys.verify(secret)
    first = registry.keys.all()[0].last_used_at
    clock.now = 0
    assert registry.keys.verify(secret) is not None
    assert registry.keys.all()[0].last_used_at == first


def test_the_key_itself_is_nowhere_in_the_database(tmp_path: Path, clock: Ticking) -> None:
    """Only its SHA-256."""
    with open_registry(tmp_path, clock) as registry:
        made = registry.keys.create("web")
    secret = made.secret
    assert secret not in repr(made)
    engine = create_engine(f"sqlite:///{tmp_path / FILE}")
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT digest FROM write_keys")).scalars().all()
    engine.dispose()
    assert kept == [hashlib.sha256(secret.encode()).hexdigest()]
    for file in tmp_path.iterdir():
        assert secret.removeprefix("dsk_").encode() not in file.read_bytes()
