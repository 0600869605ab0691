"""What a destination is: a webhook, a Slack channel, a mail server. What of it may be told, and what is sealed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.utils import getaddresses
from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from doorstep.delivery.addresses import Guard, plain_host
from doorstep.delivery.signing import key_of
from doorstep.errors import RegistryError, SendingError

Kind = Literal["webhook", "slack", "email"]
Security = Literal["tls", "starttls", "none"]
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}|.*:.*")
"""Everything that some resolver takes for an address: decimal, octal and hexadecimal ones, of one to four parts."""
SECURITIES: Final = ("tls", "starttls", "none")


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """A URL that takes signed JSON."""

    url: str
    secret: str
    kind: Literal["webhook"] = "webhook"

    @property
    def shown(self) -> Mapping[str, Any]:
        """What may be told; paths of URLs are secrets of some receivers."""
        return {"url": _origin(self.url)}


@dataclass(frozen=True, slots=True, repr=False)
class Slack:
    """An incoming webhook of Slack; its URL is the secret."""

    url: str
    kind: Literal["slack"] = "slack"

    @property
    def shown(self) -> Mapping[str, Any]:
        """What may be told."""
        return {"url": _origin(self.url)}


@dataclass(frozen=True, slots=True, repr=False)
class Email:
    """A mail server, the sender's address, and who gets what says nothing else."""

    host: str
    port: int
    security: Security
    sender: str
    to: tuple[str, ...]
    username: str | None = None
    password: str | None = None
    kind: Literal["email"] = "email"

    @property
    def shown(self) -> Mapping[str, Any]:
        """What may be told."""
        told = ("host", "port", "security", "sender", "to", "username")
        return {**{name: getattr(self, name) for name in told}, "to": list(self.to)}


Target = Webhook | Slack | Email

TELLING: Final = 6
"""Characters; shorter parts of an address give nothing away."""


def without_secrets(target: Target, text: str) -> str:
    """A text, such as a receiver's answer that repeats what it was asked, without what must not be told."""
    match target:
        case Webhook(url=url, secret=secret):
            hidden = [secret, *_parts(url)]
        case Slack(url=url):
            hidden = _parts(url)
        case Email(password=password):
            hidden = [] if password is None else [password]
    for one in sorted(hidden, key=len, reverse=True):
        text = text.replace(one, "…") if one else text
    return text


def _parts(url: str) -> list[str]:
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    whole = [parts.path, parts.query, unquote(parts.path)]
    return [one for one in (*whole, *pieces) if len(one) >= TELLING]


def text_of(target: Target) -> str:
    """All of it, to be sealed."""
    return json.dumps(asdict(target))


def target_of(text: str) -> Target:
    """What `text_of` gave."""
    found = json.loads(text)
    match found["kind"]:
        case "webhook":
            return Webhook(**found)
        case "slack":
            return Slack(**found)
        case _:
            return Email(**{**found, "to": tuple(found["to"])})


def checked(target: Target, guard: Guard) -> Target:
    """The target, if one like it can be sent to. Names are not resolved. RegistryError ``bad-destination``,
    ``not-https``, ``bad-secret``; SendingError ``refused-address``, ``bad-host``.
    """
    match target:
        case Webhook():
            key_of(target.secret)
            _check_url(target.url, guard)
        case Slack():
            _check_url(target.url, guard)
        case Email():
            _check_mail(target, guard)
    return target


def _check_url(url: str, guard: Guard) -> None:
    parts, host = _parted(url)
    _check_number(host, guard)
    if parts.scheme == "http" and host not in guard.allowed:
        message = f"What is sent to {host} by http can be read on its way."
        raise RegistryError("not-https", f"{message} Write https, or say `doorstep destinations allow {host}` first.")


def _check_number(host: str, guard: Guard) -> None:
    """An address in the place of a name is looked at now, so that nobody has to wait for a message to fail."""
    if _NUMBER.fullmatch(host):
        try:
            guard.addresses(host, 443)
        except SendingError as error:
            if error.code == "refused-address":
                raise


def _parted(url: str) -> tuple[SplitResult, str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _bad("its URL is none") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _bad("its URL is not of the form https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad("its URL has a user, a password or a fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _bad("its URL has characters that URLs cannot have; write them with %")
    return parts, plain_host(host)


def _check_mail(mail: Email, guard: Guard) -> None:
    host = plain_host(mail.host)
    _check_number(host, guard)
    if mail.security not in SECURITIES:
        raise _bad(f"its security is none of {', '.join(SECURITIES)}")
    if not 1 <= mail.port <= 65535:
        raise _bad("its port is not from 1 to 65535")
    for address in (mail.sender, *mail.to):
        if not is_mail_address(address):
            raise _bad(f"{address[:100]!r} is no address for mail")
    if (mail.username is None) != (mail.password is None):
        raise _bad("a user name and a password go together")
    if mail.security == "none" and host not in guard.allowed:
        message = f"What is mailed by {host} without TLS can be read on its way."
        raise RegistryError("not-https", f"{message} Use tls, or say `doorstep destinations allow {host}` first.")


def is_mail_address(text: str) -> bool:
    """Whether it is one address, bare or with a name before it."""
    found = [address for _, address in getaddresses([text])]
    plain = text.isprintable() and len(found) == 1 and found[0].isascii()
    return plain and bool(re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", found[0]))


def _bad(why: str) -> RegistryError:
    return RegistryError("bad-destination", f"The destination cannot be used: {why}.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


__all__ = [
    "Email",
    "Kind",
    "Security",
    "Slack",
    "Target",
    "Webhook",
    "checked",
    "is_mail_address",
    "target_of",
    "text_of",
    "without_secrets",
]
