"""Messages go to public addresses, and to hosts that are allowed by name; whatever an address is dressed as."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorstep.delivery.addresses import Guard, is_public, plain_host
from doorstep.errors import SendingError

PUBLIC = ["1.1.1.1", "93.184.216.34", "8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8"]
NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "192.0.0.192", "168.63.129.16", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1", "not an address", ""),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    """Also IPv4 in the clothes of IPv6."""
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_is(address: str) -> None:
    """Loopback, link-local, private, metadata, multicast, reserved; bare, mapped, translated or tunnelled."""
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_in_ipv6_counts_as_what_it_holds(address: object) -> None:
    """Mapped or translated, it is as public as it is bare."""
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == is_public(str(address))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "LOCALHOST.", "169.254.169.254", "[fe80::1]"),
    ],
)
def test_odd_spellings_of_an_address_are_refused(host: str) -> None:
    """As the system's own resolver reads them: decimal, octal, hexadecimal, short, mapped."""
    with pytest.raises(SendingError) as refused:
        Guard().addresses(host, 80)
    assert refused.value.code in {"refused-address", "unknown-host"}


def test_a_name_that_resolves_to_a_private_address_is_refused() -> None:
    """Also when one of several addresses is public."""
    answers = {
        "inner.test": ["10.1.2.3"],
        "mixed.test": ["1.1.1.1", "::1"],
        "fine.test": ["1.1.1.1", "2606:4700::1111"],
    }

    def resolve(host: str, port: int) -> Sequence[str]:
        assert port == 443
        return answers.get(host, ())

    guard = Guard(resolve=resolve)
    assert guard.addresses("FINE.test.", 443) == ("1.1.1.1", "2606:4700::1111")
    for host in ("inner.test", "mixed.test"):
        with pytest.raises(SendingError, match=f"allow {host}") as refused:
            guard.addresses(host, 443)
        assert refused.value.code == "refused-address"
    with pytest.raises(SendingError) as unknown:
        guard.addresses("nowhere.test", 443)
    assert unknown.value.code == "unknown-host"


def test_an_allowed_host_is_allowed_by_its_name_alone() -> None:
    """Not what else has its address, nor what ends in its name."""
    guard = Guard(frozenset({"inner.test"}), lambda _host, _port: ["10.1.2.3"])
    assert guard.addresses("Inner.Test", 80) == ("10.1.2.3",)
    for host in ("10.1.2.3", "a.inner.test", "inner.test.evil.test"):
        with pytest.raises(SendingError, match="not public"):
            guard.addresses(host, 80)


@pytest.mark.parametrize("host", ["", " ", "a b", "a/b", "user@host", "a#b", "a?b", "x" * 300, "a\0b", "a\nb"])
def test_what_is_no_host_is_told(host: str) -> None:
    """Before anybody is asked for its address."""
    with pytest.raises(SendingError) as refused:
        plain_host(host)
    assert refused.value.code == "bad-host"


def test_a_host_is_compared_in_one_spelling() -> None:
    """Capitals, a final dot, brackets, umlauts."""
    assert plain_host("Hooks.Example.COM.") == "hooks.example.com"
    assert plain_host("[::1]") == "::1"
    assert plain_host("bücher.example") == "xn--bcher-kva.example"
