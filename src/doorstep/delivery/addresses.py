"""Which addresses may be reached: public ones, and those of hosts that are allowed by name.

A name is resolved once for a connection, and the connection goes to an address that was looked at, so that a name
whose answer changes in between leads nowhere else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from doorstep.errors import SendingError

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, best first; OSError when there are none."""

_REFUSED: Final = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # public by its number, and a cloud's own all the same
            "192.0.0.0/24",
            "192.88.99.0/24",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "3fff::/20",
            "5f00::/16",
        ),
    )
)
"""Networks of special use that not every version of `ipaddress` knows to be no public ones."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")


def resolved(host: str, port: int) -> Sequence[str]:
    """What the system says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet, and no other address in its clothes: IPv4 in IPv6 counts as
    what it holds.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    inner = _inner(address)
    if inner is not None:
        return is_public(str(inner))
    refused = (
        *(address.is_private, address.is_loopback, address.is_link_local, address.is_multicast),
        *(address.is_reserved, address.is_unspecified, not address.is_global),
        *(address in network for network in _REFUSED),
        isinstance(address, IPv6Address) and address.is_site_local,
    )
    return not any(refused)


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None


def plain_host(host: str) -> str:
    """A host as it is compared: small letters, no final dot, no brackets, ASCII. SendingError ``bad-host``."""
    text = host.strip().strip("[]").rstrip(".").casefold()
    try:
        found = text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        found = ""
    if not found or len(found) > 253 or any(one.isspace() or one in "/@?#\\" or not one.isprintable() for one in found):
        raise SendingError("bad-host", f"{host[:100]!r} is no host. Write hooks.example.com, or an address.")
    return found


@dataclass(frozen=True, slots=True)
class Guard:
    """Tells where a connection may go. ``allowed``: hosts, as `plain_host` gives them, whose addresses need not be
    public.
    """

    allowed: frozenset[str] = frozenset()
    resolve: Resolve = resolved

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Where a host may be reached. SendingError ``unknown-host``, or ``refused-address`` when any of its addresses
        is not public and the host is not allowed.
        """
        name = plain_host(host)
        try:
            found = tuple(self.resolve(name, port))
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise SendingError("unknown-host", f"the host {name} has no address. Look whether its name is right.")
        if name not in self.allowed:
            self._refuse(name, found)
        return found

    def _refuse(self, name: str, found: Sequence[str]) -> None:
        for address in found:
            if not is_public(address):
                is_what = "not public" if name == address else f"{address}, which is not public"
                raise SendingError(
                    "refused-address",
                    f"{name} is {is_what}; nothing is sent there. If it is meant, an administrator"
                    f" says `doorstep destinations allow {name}`.",
                )


__all__ = ["Guard", "Resolve", "is_public", "plain_host", "resolved"]
