"""Mail by SMTP, to the guard's addresses, in time."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from doorstep.delivery.addresses import Guard
from doorstep.delivery.attempts import readable
from doorstep.delivery.connecting import CONNECT, WHOLE, connect
from doorstep.delivery.posting import Answer
from doorstep.delivery.signing import header_id
from doorstep.delivery.targets import Email, is_mail_address
from doorstep.errors import SendingError


class Mailer:
    """Mails from several threads; a connection for each message."""

    def __init__(self, guard: Guard, trust: ssl.SSLContext, *, whole: float = WHOLE) -> None:
        self._guard = guard
        self._trust = trust
        self._whole = whole

    def mail(self, mail: Email, id: str, body: Mapping[str, Any], at: int) -> Answer:  # noqa: A002
        """The server's answer. SendingError when there is none, or nothing to be mailed."""
        people = _people(mail, body)
        message = _message(mail, people, id, body, at)
        try:
            with self._connected(mail) as server:
                if mail.security == "starttls":
                    server.starttls(context=self._trust)
                if mail.username is not None and mail.password is not None:
                    server.login(mail.username, mail.password)
                sender = parseaddr(mail.sender)[1]
                refused = server.sendmail(sender, people, message.as_bytes(policy=policy.SMTP))
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            return Answer(code, readable(said), None)
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
            return Answer(error.smtp_code, readable(said), None)
        except smtplib.SMTPException as error:
            raise SendingError("no-answer", f"the mail server does not take it: {str(error)[:200]}.") from None
        except ssl.SSLError as error:
            raise SendingError("no-tls", f"no safe connection: {error}.") from None
        except OSError as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else f"no whole answer: {error}"
            raise SendingError("no-answer", f"{why}.") from None
        return Answer(250, f"accepted, but not for {', '.join(refused)}" if refused else "accepted", None)

    @contextmanager
    def _connected(self, mail: Email) -> Iterator[smtplib.SMTP]:
        """A connection that is cut when its time is over, however slowly the server drips."""
        server = _Guarded(self._guard, self._trust if mail.security == "tls" else None, _domain(mail.sender))
        cut = threading.Timer(self._whole, server.cut)
        cut.daemon = True
        cut.start()
        try:
            code, said = server.connect(mail.host, mail.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            cut.cancel()
            server.close()


class _Guarded(smtplib.SMTP):
    """smtplib, connected where the guard says; TLS is verified against the name all the same."""

    def __init__(self, guard: Guard, trust: ssl.SSLContext | None, name: str) -> None:
        super().__init__(local_hostname=name, timeout=CONNECT)
        self._guard = guard
        self._trust = trust

    def connect(self, host: str = "localhost", port: int = 0, source_address: object = None) -> tuple[int, bytes]:
        self._host = host  # what starttls verifies
        return super().connect(host, port)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = connect(self._guard, host, port, timeout)
        found.settimeout(WHOLE)
        return found if self._trust is None else self._trust.wrap_socket(found, server_hostname=host)

    def cut(self) -> None:
        """Ends whatever is waited for."""
        with suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)


def _people(mail: Email, body: Mapping[str, Any]) -> list[str]:
    to = body.get("to") or mail.to
    people = [to] if isinstance(to, str) else [str(one) for one in to]
    if not people or not all(map(is_mail_address, people)):
        raise SendingError("nobody-to-mail", "the message has no address to go to, or one that is none.")
    return [parseaddr(one)[1] for one in people]


def _message(mail: Email, people: Sequence[str], id: str, body: Mapping[str, Any], at: int) -> EmailMessage:  # noqa: A002
    found = EmailMessage()
    try:
        found["From"] = mail.sender
        found["To"] = ", ".join(people)
        found["Subject"] = " ".join(str(body.get("subject") or "").split())
        found["Date"] = format_datetime(datetime.fromtimestamp(at / 1e6, UTC))
        found["Message-ID"] = f"<{header_id(id)}@{_domain(mail.sender)}>"
        found.set_content(str(body.get("text") or ""))
    except (ValueError, MessageError) as error:
        raise SendingError("nobody-to-mail", f"the message is none that can be mailed: {error}.") from None
    return found


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].partition("@")[2]


__all__ = ["Mailer"]
