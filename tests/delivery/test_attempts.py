"""What an answer means, and when the next attempt is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorstep.delivery.attempts import DAY, EXCERPT, FIRST, LONGEST, SECOND, asked, delay, excerpt, judged, readable

NOW = 1_770_000_000 * SECOND


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundreds_are_delivered(status: int) -> None:
    """All of them."""
    assert judged(NOW, 5, status, "", None).failure is None


@pytest.mark.parametrize(("status", "everywhere"), [(301, True), (307, True), (500, True), (503, True), (429, True)])
def test_what_concerns_the_destination_is_told_from_what_concerns_the_message(status: int, everywhere: bool) -> None:
    """A redirect, an overload, a fault: the next message would meet them too; a body that is refused would not."""
    assert judged(NOW, 5, status, "", None).everywhere is everywhere
    for own in (400, 409, 413, 422):
        refused = judged(NOW, 5, own, "", None)
        assert (refused.failure, refused.everywhere) == (f"answered {own}", False)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, 86_400),
        ("Mon, 02 Feb 2026 02:41:40 GMT", 100),
        ("Mon, 02 Feb 2026 02:39:00 GMT", 0),
        ("Mon, 02 Feb 2099 02:39:00 GMT", 86_400),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(said: str | None, seconds: int | None) -> None:
    """Nonsense counts as nothing."""
    assert asked(said, NOW) == (None if seconds is None else seconds * SECOND)


@given(st.text())
def test_no_retry_after_is_a_fault(said: str) -> None:
    """Whatever a receiver writes."""
    found = asked(said, NOW)
    assert found is None or 0 <= found <= DAY


def test_delays_grow_up_to_half_a_day_and_no_two_are_alike() -> None:
    """Three times as long each time; chance takes up to a half away."""
    assert [delay(n, lambda: 0.0) for n in (1, 2, 3)] == [FIRST, 3 * FIRST, 9 * FIRST]
    assert delay(50, lambda: 0.0) == LONGEST
    assert delay(10_000, lambda: 0.999) > LONGEST * 0.5
    assert delay(2, lambda: 0.5) == 3 * FIRST * 3 // 4


@given(st.binary(max_size=5000))
def test_an_excerpt_is_short_text_that_a_database_can_keep(raw: bytes) -> None:
    """Whatever was answered."""
    found = excerpt(readable(raw))
    assert len(found) <= EXCERPT
    assert "\0" not in found
    found.encode()
