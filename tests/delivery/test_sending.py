"""One message to a real receiver: signed, to the address that was looked at, no further, and in time."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from doorstep.delivery.addresses import Guard
from doorstep.delivery.attempts import EXCERPT
from doorstep.delivery.sending import Sending
from doorstep.delivery.signing import header_id, key_of, new_secret
from doorstep.delivery.targets import Slack, Webhook
from doorstep.errors import RegistryError
from receivers import Came, Says, receiving

LOCAL = Guard(frozenset({"127.0.0.1"}))
BODY = json.dumps({"type": "signal.fired", "data": {"account": "Ünïcode"}})


def _always(says: Says, _: Came) -> Says:
    return says


def _now() -> int:
    return time.time_ns() // 1000


@contextmanager
def _sending(guard: Guard = LOCAL, whole: float = 5.0, trust: ssl.SSLContext | None = None) -> Iterator[Sending]:
    sending = Sending(guard, trust=trust, whole=whole)
    yield sending
    sending.close()


def test_the_official_library_verifies_what_we_sign() -> None:
    """And refuses it when the body, the id or the secret is another."""
    secret = new_secret()
    with receiving() as receiver, _sending() as sending:
        came = sending.send(Webhook(f"{receiver.address}/hook?x=1", secret), "msg_1", BODY, _now())
    assert (came.status, came.answer, came.failure) == (200, "ok", None)
    (got,) = receiver.came
    assert (got.path, got.headers["content-type"], got.body.decode()) == ("/hook?x=1", "application/json", BODY)
    assert Verifier(secret).verify(got.body, dict(got.headers)) == json.loads(BODY)
    for body, headers, with_secret in (
        (got.body + b" ", got.headers, secret),
        (got.body, {**got.headers, "webhook-id": "msg_2"}, secret),
        (got.body, got.headers, new_secret()),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(with_secret).verify(body, dict(headers))


def test_the_id_stays_over_attempts_and_the_time_does_not() -> None:
    """A receiver dedupes by the one and refuses old ones by the other."""
    with receiving() as receiver, _sending() as sending:
        for at in (_now() - 90_000_000, _now()):
            sending.send(Webhook(receiver.address, new_secret()), "msg_1", BODY, at)
    first, second = receiver.came
    assert first.id == second.id
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) in {89, 90, 91}


def test_ids_that_no_header_holds_are_hashed() -> None:
    """Always to the same."""
    assert header_id("msg_1") == "msg_1"
    for odd in ("a b", "ü", "a\r\nx: y", "", "x" * 300, "\ud800"):
        assert header_id(odd) == header_id(odd)
        assert len(header_id(odd)) == 64


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_!!!", "c2VjcmV0", "whsec_" + "A" * 400])
def test_what_is_no_secret_is_told_without_it(secret: str) -> None:
    """The specification wants 24 to 64 bytes."""
    with pytest.raises(RegistryError) as refused:
        key_of(secret)
    assert refused.value.code == "bad-secret"
    assert len(secret) < 7 or secret not in refused.value.message


def test_slack_gets_its_text_unsigned() -> None:
    """Slack knows the URL, and no signature."""
    with receiving() as receiver, _sending() as sending:
        assert sending.send(Slack(f"{receiver.address}/T/B/x"), "m", '{"text":"hello"}', _now()).failure is None
    assert receiver.came[0].body == b'{"text":"hello"}'
    assert not any(name.startswith("webhook-") for name in receiver.came[0].headers)


def test_redirects_are_not_followed() -> None:
    """Wherever they lead; the answer counts as a failure."""
    with (
        receiving() as elsewhere,
        receiving(lambda _: Says(302, b"", {"Location": f"{elsewhere.address}/secret"})) as receiver,
        _sending() as sending,
    ):
        came = sending.send(Webhook(receiver.address, new_secret()), "m", BODY, _now())
    assert came.status == 302
    assert came.failure is not None
    assert "not followed" in came.failure
    assert elsewhere.came == []


def test_a_receiver_that_hangs_or_drips_costs_no_more_than_the_time_of_an_attempt() -> None:
    """Whether it never answers or sends a byte now and then for ever."""
    with _sending(whole=0.5) as sending:
        for says in (Says(seconds=3.0), Says(body=b"x" * 100, drip=0.1)):
            with receiving(partial(_always, says)) as receiver:
                began = time.monotonic()
                came = sending.send(Webhook(receiver.address, new_secret()), "m", BODY, _now())
                assert time.monotonic() - began < 2.5
            assert came.failure == "no answer in time."
            assert came.latency >= 400_000


def test_an_endless_answer_is_read_no_further_than_its_beginning() -> None:
    """And its excerpt is short."""
    with receiving(lambda _: Says(200, b"y" * 20_000_000)) as receiver, _sending() as sending:
        came = sending.send(Webhook(receiver.address, new_secret()), "m", BODY, _now())
    assert came.failure is None
    assert len(came.answer) == EXCERPT


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 999999 \r\n\r\n", b"\0" * 200]
)
def test_what_does_not_answer_in_http_has_failed(answer: bytes) -> None:
    """With a sentence; nothing is raised."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener, _sending(whole=1.0) as sending:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        came = sending.send(Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", new_secret()), "m", BODY, _now())
        thread.join()
    assert came.status is None
    assert came.failure is not None
    assert came.failure.endswith(".")
    assert came.everywhere


def test_nothing_goes_to_an_address_that_is_not_public() -> None:
    """The name is resolved once, and what it resolves to decides; nobody is connected to."""
    with receiving() as receiver:
        port = int(receiver.address.rpartition(":")[2])
        asked: list[str] = []

        def resolve(host: str, _: int) -> Sequence[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["1.1.1.1"]

        with _sending(Guard(resolve=resolve)) as sending:
            came = sending.send(Webhook(f"http://rebinding.test:{port}/", new_secret()), "m", BODY, _now())
    assert came.failure is not None
    assert "not public" in came.failure
    assert asked == ["rebinding.test"]
    assert receiver.came == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would connect wherever they like."""
    with receiving() as receiver, receiving() as proxy, _sending() as sending:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        assert sending.send(Webhook(receiver.address, new_secret()), "m", BODY, _now()).failure is None
    assert (len(receiver.came), len(proxy.came)) == (1, 0)


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("X-Host", self.headers["host"])
        self.end_headers()
        self.wfile.write(self.headers["host"].encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate of a host, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = directory / "cert.pem", directory / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def test_tls_is_verified_against_the_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    """The host that the certificate names is served; the same server under another name is not, nor one whose
    certificate nobody trusts.
    """
    cert, key = certificate(tmp_path, "hooks.test")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    trust = ssl.create_default_context(cafile=str(cert))
    guard = Guard(frozenset({"hooks.test", "other.test"}), lambda _host, _port: ["127.0.0.1"])
    with HTTPServer(("127.0.0.1", 0), _Taking) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = serving.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_address[1]
        with _sending(guard, trust=trust) as sending, _sending(guard) as trusting_none:
            fine = sending.send(Webhook(f"https://hooks.test:{port}/", new_secret()), "m", BODY, _now())
            other = sending.send(Webhook(f"https://other.test:{port}/", new_secret()), "m", BODY, _now())
            unknown = trusting_none.send(Webhook(f"https://hooks.test:{port}/", new_secret()), "m", BODY, _now())
        server.shutdown()
    assert (fine.failure, fine.answer) == (None, f"hooks.test:{port}")
    for came in (other, unknown):
        assert came.failure is not None
        assert "certificate verify failed" in came.failure


def test_an_answer_that_repeats_the_address_is_kept_without_it() -> None:
    """As error pages do; the secret parts of a URL are told nowhere."""
    secret, path = new_secret(), "/services/T0000/XXHIDDENXX"
    with (
        receiving(lambda came: Says(404, f"no {came.path} here ({secret})".encode())) as receiver,
        _sending() as sending,
    ):
        for target in (Webhook(f"{receiver.address}{path}?key=0123456789", secret), Slack(f"{receiver.address}{path}")):
            came = sending.send(target, "m", BODY, _now())
            assert came.answer.startswith("no …")
            assert not any(one in repr(came) for one in ("HIDDEN", "0123456789", path))
    assert secret not in repr(sending.send(Webhook(f"http://127.0.0.1:9{path}", secret), "m", BODY, _now()))


def test_a_fault_of_our_own_costs_one_attempt_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A message that we fail at keeps nobody from going out."""
    secret = new_secret()
    with receiving() as receiver, _sending() as sending:
        target = Webhook(f"{receiver.address}/hidden-path", secret)
        broken: str = None  # type: ignore[assignment]
        came = sending.send(target, "m", broken, _now())
        assert came.failure is not None
        assert "doorstep's own" in came.failure
        assert not came.everywhere
        assert sending.send(target, "m", BODY, _now()).failure is None
    assert "AttributeError" in caplog.text
    assert secret not in caplog.text
