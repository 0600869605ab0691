"""Mail to a real server: what it says, whom it goes to, safely and in time."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from delivery.test_sending import certificate
from doorstep.delivery.addresses import Guard
from doorstep.delivery.sending import Sending
from doorstep.delivery.targets import Email

AT = 1_770_000_000_000_000
LOCAL = Guard(frozenset({"127.0.0.1", "mail.test"}), lambda _host, _port: ["127.0.0.1"])
BODY = {"to": "ann@example.com", "subject": "acme fell back", "text": "From Engaged to Activated.\nLook at it: ü\n"}


class Post:
    """Keeps what comes; refuses people called nobody."""

    def __init__(self) -> None:
        self.came: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        if b"make it fail" in content:
            return "451 come again"
        self.envelopes.append(envelope)
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.came.append(found)
        return "250 kept"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Its own try trusts no certificate of ours."""
        with socket.create_connection((self.hostname, self.port), 5) as plain:
            if self.ssl_context is None:
                plain.recv(100)
                return
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            with anybody.wrap_socket(plain) as safe:
                safe.recv(100)


@contextmanager
def posting(**options: Any) -> Iterator[tuple[Post, int]]:
    """A mail server on loopback, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    post = Post()
    server = _Controller(post, hostname="127.0.0.1", port=port, **options)
    server.start()
    try:
        yield post, port
    finally:
        server.stop()


def _email(port: int, **more: Any) -> Email:
    given = {"host": "127.0.0.1", "security": "none", "sender": "Doorstep <door@example.org>", "to": ("team@x.org",)}
    return Email(port=port, **{**given, **more})


@contextmanager
def _sending(trust: ssl.SSLContext | None = None, whole: float = 5.0) -> Iterator[Sending]:
    sending = Sending(LOCAL, trust=trust, whole=whole)
    yield sending
    sending.close()


def test_a_mail_says_what_the_message_says() -> None:
    """From, to, subject, text; its Message-ID is the same each time, so that a server may tell a repeated one."""
    with posting() as (post, port), _sending() as sending:
        for _ in range(2):
            came = sending.send(_email(port), "msg_1", json.dumps(BODY), AT)
            assert (came.failure, came.status) == (None, 250)
    first, second = post.came
    assert (first["From"], first["To"]) == ("Doorstep <door@example.org>", "ann@example.com")
    assert first["Subject"] == "acme fell back"
    assert first.get_content().splitlines() == BODY["text"].splitlines()
    assert first["Message-ID"] == second["Message-ID"] == "<msg_1@example.org>"
    assert first["Date"] == "Mon, 02 Feb 2026 02:40:00 +0000"


def test_a_mail_that_names_nobody_goes_to_whom_the_destination_names() -> None:
    """To several, too."""
    with posting() as (post, port), _sending() as sending:
        sending.send(_email(port, to=("a@x.org", "b@x.org")), "m", json.dumps({**BODY, "to": None}), AT)
    assert post.envelopes[0].rcpt_tos == ["a@x.org", "b@x.org"]


@pytest.mark.parametrize("to", ["", "ann", "a@b, c@d", "a@b\nBcc: c@d", "a@b\r\nx", ["a@b", "c"], []])
def test_what_is_no_address_is_not_mailed(to: object) -> None:
    """Least of all a second address or a header hidden in one."""
    with posting() as (post, port), _sending() as sending:
        came = sending.send(_email(port, to=()), "m", json.dumps({**BODY, "to": to}), AT)
    assert came.failure is not None
    assert not came.everywhere
    assert post.came == []


def test_a_subject_cannot_bring_a_header_with_it() -> None:
    """Lines become one."""
    with posting() as (post, port), _sending() as sending:
        body = {**BODY, "subject": "hello\r\nBcc: eve@example.com\n\nmore"}
        assert sending.send(_email(port), "m", json.dumps(body), AT).failure is None
    assert post.came[0]["Subject"] == "hello Bcc: eve@example.com more"
    assert post.came[0]["Bcc"] is None
    assert post.envelopes[0].rcpt_tos == ["ann@example.com"]


def test_what_the_server_refuses_is_told_with_its_words() -> None:
    """A recipient, or a message for now."""
    with posting() as (_, port), _sending() as sending:
        nobody = sending.send(_email(port), "m", json.dumps({**BODY, "to": "nobody@x.org"}), AT)
        later = sending.send(_email(port), "m", json.dumps({**BODY, "text": "make it fail"}), AT)
    assert (nobody.status, nobody.answer, nobody.everywhere) == (550, "no such user", False)
    assert (later.status, later.answer) == (451, "come again")


@pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")  # aiosmtpd's own
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_is_verified_against_the_name(tmp_path: Path, security: str) -> None:
    """With a password that goes over it; a certificate of another host ends it before the password is sent."""
    cert, key = certificate(tmp_path, "mail.test")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    given: list[LoginPassword] = []

    def check(_server: SMTP, _session: Any, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        given.append(data)
        return AuthResult(success=data.password == b"hunter2", handled=False)

    options: dict[str, Any] = {"authenticator": check, "auth_require_tls": security == "starttls"}
    options |= (
        {"tls_context": serving, "require_starttls": True} if security == "starttls" else {"ssl_context": serving}
    )
    trust = ssl.create_default_context(cafile=str(cert))
    login = {"security": security, "username": "door", "password": "hunter2"}
    with posting(**options) as (post, port), _sending(trust) as sending:
        fine = sending.send(_email(port, host="mail.test", **login), "m", json.dumps(BODY), AT)
        other = sending.send(_email(port, host="127.0.0.1", **login), "m", json.dumps(BODY), AT)
        wrong = sending.send(_email(port, host="mail.test", **{**login, "password": "x"}), "m", json.dumps(BODY), AT)
    assert fine.failure is None
    assert other.failure is not None
    assert "certificate verify failed" in other.failure
    assert (wrong.status, wrong.everywhere) == (535, True)
    assert len(post.came) == 1
    assert {one.password for one in given} == {b"hunter2", b"x"}


def test_a_server_that_hangs_or_drips_costs_no_more_than_the_time_of_an_attempt() -> None:
    """Whether it greets nobody or never ends its greeting."""
    for drips in (False, True):
        with socket.create_server(("127.0.0.1", 0)) as listener, _sending(whole=0.5) as sending:

            def serve(drips: bool = drips, listener: socket.socket = listener) -> None:
                connection, _ = listener.accept()
                with connection:
                    for _ in range(30):
                        time.sleep(0.1)
                        try:
                            connection.sendall(b"220-wait\r\n" if drips else b"")
                        except OSError:
                            return

            thread = threading.Thread(target=serve)
            thread.start()
            began = time.monotonic()
            came = sending.send(_email(listener.getsockname()[1]), "m", json.dumps(BODY), AT)
            assert time.monotonic() - began < 2.5
            assert came.failure is not None
            assert came.everywhere
            thread.join()


def test_a_mail_server_that_is_not_public_is_not_connected_to() -> None:
    """Unless it is allowed by name."""
    with posting() as (post, port):
        sending = Sending(Guard())
        came = sending.send(_email(port), "m", json.dumps(BODY), AT)
        sending.close()
    assert came.failure is not None
    assert "not public" in came.failure
    assert post.came == []
