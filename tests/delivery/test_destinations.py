"""Destinations keep their secrets; what may not be sent to is refused when it is added; every act is written down."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from doorstep.delivery.destinations import Destinations
from doorstep.delivery.sealing import Seal, seal_of
from doorstep.delivery.signing import new_secret
from doorstep.delivery.targets import Email, Slack, Target, Webhook
from doorstep.delivery.trying import try_out
from doorstep.errors import DoorstepError, RegistryError
from doorstep.registry import acts, open_database
from outboxes import START, Outbox
from receivers import Says, receiving

HIDDEN = "c2VjcmV0LXRoYXQtbXVzdC1uZXZlci1iZS1zZWVu"
TARGETS: list[Target] = [
    Webhook(f"https://hooks.example.com/in/{HIDDEN}?token={HIDDEN}", f"whsec_{HIDDEN}"),
    Slack(f"https://hooks.slack.com/services/T/B/{HIDDEN}"),
    Email("smtp.example.com", 465, "tls", "door@example.com", ("a@example.com",), "door", HIDDEN),
]


def _everything(outbox: Outbox) -> str:
    """All that the database holds, as text."""
    with outbox.database.reading() as session:
        tables = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        return "\n".join(str(session.execute(text(f"SELECT * FROM {name}")).all()) for name in tables)


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.kind)
def test_no_secret_is_kept_readable_or_told(outbox: Outbox, target: Target, tmp_path: Path) -> None:
    """Not in the database or its files, not in what is shown, not in the audit log, not in a traceback; it can still be
    sent with.
    """
    added = outbox.destinations.add("crm", target, by="ann", at=START)
    told = [added, outbox.destinations.all(), outbox.destinations.get("crm"), acts(outbox.database), target]
    assert HIDDEN not in repr(told)
    assert HIDDEN not in _everything(outbox)
    assert outbox.destinations.target("crm") == target
    outbox.destinations.remove("crm", by="ann", at=START)
    assert HIDDEN not in repr(acts(outbox.database))
    outbox.database.close()
    for path in (tmp_path / "data").iterdir():
        assert HIDDEN.encode() not in path.read_bytes()


def test_the_audit_log_has_every_change_and_every_test(outbox: Outbox) -> None:
    """Who, when, what, and how it was before and after."""
    with receiving(lambda _: Says(500, b"no")) as crm:
        outbox.destinations.allow("127.0.0.1", by="eve", at=1)
        outbox.destinations.allow("127.0.0.1", by="eve", at=2)
        outbox.destinations.add("crm", Webhook(crm.address, new_secret()), by="ann", at=3)
        assert try_out(outbox.destinations, "crm", by="bob", at=4).failure == "answered 500"
        outbox.destinations.remove("crm", by="cat", at=5)
        outbox.destinations.forbid("127.0.0.1", by="eve", at=6)
    shown = {"kind": "webhook", "url": f"{crm.address}/…"}
    assert [(one.at, one.by, one.subject, one.name, one.act) for one in reversed(acts(outbox.database))] == [
        (1, "eve", "host", "127.0.0.1", "allowed"),
        (3, "ann", "destination", "crm", "added"),
        (4, "bob", "destination", "crm", "tested"),
        (5, "cat", "destination", "crm", "removed"),
        (6, "eve", "host", "127.0.0.1", "forbidden"),
    ]
    removed, tested, added = acts(outbox.database, subject="destination", name="crm")
    assert (added.before, added.after, removed.before, removed.after) == (None, shown, shown, None)
    assert tested.after == {"status": 500, "failure": "answered 500"}
    assert len(acts(outbox.database, most=2)) == 2


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (Webhook("http://hooks.example.com/", new_secret()), "not-https"),
        (Webhook("ftp://hooks.example.com/", new_secret()), "bad-destination"),
        (Webhook("hooks.example.com", new_secret()), "bad-destination"),
        (Webhook("https:///x", new_secret()), "bad-destination"),
        (Webhook("https://user:word@hooks.example.com/", new_secret()), "bad-destination"),
        (Webhook("https://hooks.example.com/#x", new_secret()), "bad-destination"),
        (Webhook("https://hooks.example.com:99999/", new_secret()), "bad-destination"),
        (Webhook("https://[::1/", new_secret()), "bad-destination"),
        (Webhook("https://hooks.example.com/\r\nx: y", new_secret()), "bad-destination"),
        (Webhook("https://hooks.example.com/", "whsec_x"), "bad-secret"),
        (Webhook("https://127.0.0.1/", new_secret()), "refused-address"),
        (Webhook("https://2130706433/", new_secret()), "refused-address"),
        (Webhook("https://0x7f.1/", new_secret()), "refused-address"),
        (Webhook("https://[::ffff:127.0.0.1]/", new_secret()), "refused-address"),
        (Slack("https://169.254.169.254/latest/meta-data"), "refused-address"),
        (Slack("http://hooks.slack.com/x"), "not-https"),
        (Email("10.0.0.1", 25, "tls", "a@b.c", ()), "refused-address"),
        (Email("smtp.example.com", 25, "none", "a@b.c", ()), "not-https"),
        (Email("smtp.example.com", 0, "tls", "a@b.c", ()), "bad-destination"),
        (Email("smtp.example.com", 25, "tls", "a", ()), "bad-destination"),
        (Email("smtp.example.com", 25, "tls", "a@b.c", ("x@y.z, q@r.s",)), "bad-destination"),
        (Email("smtp.example.com", 25, "tls", "a@b.c", (), "user"), "bad-destination"),
        (Email("smtp.example.com", 25, "ssl", "a@b.c", ()), "bad-destination"),  # type: ignore[arg-type]
        (Email("a b", 25, "tls", "a@b.c", ()), "bad-host"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_at_once(outbox: Outbox, target: Target, code: str) -> None:
    """With a code, and without asking anybody for an address."""
    with pytest.raises(DoorstepError) as refused:
        outbox.destinations.add("crm", target, by="ann", at=START)
    assert refused.value.code == code
    assert outbox.destinations.all() == ()


def test_names_are_slugs_and_taken_once(outbox: Outbox) -> None:
    """The nearest name is offered for one that is not there."""
    outbox.destinations.add("crm", TARGETS[0], by="ann", at=START)
    for name, code in (("crm", "destination-exists"), ("C R M", "bad-destination-name"), ("", "bad-destination-name")):
        with pytest.raises(RegistryError) as refused:
            outbox.destinations.add(name, TARGETS[1], by="ann", at=START)
        assert refused.value.code == code
    with pytest.raises(RegistryError, match="Did you mean crm"):
        outbox.destinations.get("crmm")
    outbox.destinations.allow("10.0.0.1", by="ann", at=START)
    with pytest.raises(RegistryError, match=r"Did you mean 10\.0\.0\.1"):
        outbox.destinations.forbid("10.0.0.11", by="ann", at=START)


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Also when several need it at once."""
    seals: list[Seal] = []
    threads = [
        threading.Thread(target=lambda: seals.append(seal_of(tmp_path / "new" / "data", None))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = seals[0].close("hush")
    assert "hush" not in sealed
    assert {one.open(sealed) for one in seals} == {"hush"}
    (key,) = (tmp_path / "new" / "data").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_is_wrong_with_the_key_is_told(tmp_path: Path) -> None:
    """A file that others may read, one that holds none, the key of another place."""
    sealed = seal_of(tmp_path, None).close("hush")
    key = tmp_path / "secret.key"
    with pytest.raises(RegistryError) as wrong:
        seal_of(tmp_path, Fernet.generate_key().decode()).open(sealed)
    assert wrong.value.code == "wrong-secret-key"
    key.chmod(0o644)
    with pytest.raises(RegistryError, match="chmod 600") as opened:
        seal_of(tmp_path, None)
    assert opened.value.code == "open-secret-key"
    key.chmod(0o600)
    key.write_text("nonsense", "utf-8")
    with pytest.raises(RegistryError) as bad:
        seal_of(tmp_path, None)
    assert bad.value.code == "bad-secret-key"
    key.unlink()
    key.mkdir()
    with pytest.raises(RegistryError) as unusable:
        seal_of(tmp_path, None)
    assert unusable.value.code == "secret-key-unusable"


def test_a_key_is_changed_by_putting_a_new_one_before_it(tmp_path: Path) -> None:
    """What the old one sealed can be opened, what is sealed from now on needs the new one."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = seal_of(tmp_path, old).close("hush")
    both = seal_of(tmp_path, f"{new}, {old}")
    assert both.open(sealed) == "hush"
    assert seal_of(tmp_path, new).open(both.close("more")) == "more"
    assert list(tmp_path.iterdir()) == []


def test_looking_at_destinations_needs_no_key(tmp_path: Path) -> None:
    """It is asked for when something is sealed or sent."""

    def no_key() -> Any:
        raise AssertionError

    database = open_database(tmp_path, create=True)
    destinations = Destinations(database, no_key)
    assert destinations.all() == ()
    destinations.allow("localhost", by="ann", at=START)
    assert destinations.allowed() == ("localhost",)
    database.close()
