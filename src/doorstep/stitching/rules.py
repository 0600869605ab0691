"""The rules of docs/identity.md: links become a map. The order in which links arrive makes no difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from doorstep.stitching.accounts import memberships_of
from doorstep.stitching.identity_map import EVER_AFTER, EVER_BEFORE, IdentityMap, Interval, Name, Reason, Refusal
from doorstep.stitching.links import Aliased, Identified, Joined, Link

_IDENTIFY, _ALIAS = 0, 1


def stitch(
    identifies: Iterable[Identified],
    aliases: Iterable[Aliased] = (),
    members: Iterable[Joined] = (),
    *,
    number: int = 1,
) -> IdentityMap:
    """The map of these links, in whatever order they come; ``number`` is the caller's count of its maps."""
    people = _read(identifies, aliases)
    intervals = tuple(people.intervals())
    users = IdentityMap(number, intervals, people.names, (), ())
    memberships, doubtful = memberships_of(members, users)
    refused = tuple(sorted({*people.refused, *doubtful}))
    return IdentityMap(number, intervals, people.names, memberships, refused)


@dataclass(frozen=True, slots=True)
class Followed:
    """What aliases come to: ``names``, the ``links`` that they add to those of identifies, and those ``refused``."""

    names: tuple[Name, ...]
    links: tuple[Link, ...]
    refused: tuple[Refusal, ...]


def follow(identifies: Iterable[Identified], aliases: Iterable[Aliased]) -> Followed:
    """The part of `stitch` that aliases need. Of the identifies only those matter in which an id of an alias has a
    part, as a device or as a user, and of these the first of each pair of ids.
    """
    people = _read(identifies, aliases)
    return Followed(people.names, tuple(people.added), tuple(sorted(set(people.refused))))


def _read(identifies: Iterable[Identified], aliases: Iterable[Aliased]) -> _People:
    said = [(one.time, _IDENTIFY, one.anonymous_id, one.user_id) for one in identifies]
    said += [(one.time, _ALIAS, one.previous_id, one.user_id) for one in aliases]
    people = _People()
    said.sort()
    for time, kind, one, other in said:
        if kind == _IDENTIFY:
            people.identify(one, other, time)
        else:
            people.alias(one, other, time)
    return people


class _People:
    """What is known of ids while links are read in order of time, identifies before aliases."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        """Users that have identified."""
        self.links: dict[str, list[tuple[int, str]]] = {}
        """Anonymous id → when it was linked to whom, in order of time."""
        self.kept: dict[str, str] = {}
        """A name given up → the one that is kept, which is never given up itself."""
        self.keepers: dict[str, list[str]] = {}
        """The same, the other way round."""
        self.persons: set[str] = set()
        """Names that are kept, or were never given up, by which somebody has identified."""
        self.refused: list[Refusal] = []
        self.added: list[Link] = []
        """Links that aliases made."""

    @property
    def names(self) -> tuple[Name, ...]:
        """Each name given up, and for which."""
        return tuple(Name(*pair) for pair in sorted(self.kept.items()))

    def identify(self, anonymous_id: str, user_id: str, time: int) -> None:
        self.known.add(user_id)
        person = self.name(user_id)
        self.persons.add(person)
        self.links.setdefault(anonymous_id, []).append((time, user_id))
        nobody = self.name(anonymous_id)
        if nobody in self.keepers and nobody not in self.persons:  # so far only aliased: all these names follow
            for name in (nobody, *self.keepers.pop(nobody)):
                self.give_up(name, person)

    def give_up(self, lost: str, kept: str) -> None:
        self.kept[lost] = kept
        self.keepers.setdefault(kept, []).append(lost)

    def alias(self, previous: str, user: str, time: int) -> None:
        lost, kept = (user, previous) if previous in self.known and user not in self.known else (previous, user)
        if self.kept.get(lost) == kept:
            return
        if found := self.conflict(lost, kept):
            reason, message = found
            self.refused.append(Refusal(time, reason, (previous, user), message))
            return
        self.give_up(lost, kept)
        for one in (lost, kept) if kept not in self.known else (lost,):
            self.links.setdefault(one, []).append((time, kept))
            self.added.append(Link(one, kept, time))

    def conflict(self, lost: str, kept: str) -> tuple[Reason, str] | None:
        """Why the two cannot become one, if they cannot."""
        if lost == kept:
            return "itself", f"{lost} is aliased to itself, which says nothing."
        if self.kept.get(kept) == lost:
            return "cycle", f"{kept} already is another name of {lost}; it cannot be the one to keep as well."
        if lost in self.known and kept in self.known:
            return "two-users", f"{lost} and {kept} had both identified by then: two known users are never merged."
        if owner := self.owner(kept):
            return "chain", f"{kept} already is {owner}'s; alias {lost} to {owner} itself."
        if lost in self.keepers:
            return "chain", f"{lost} has other names itself, such as {self.keepers[lost][0]}; {kept} cannot have it."
        if (owner := self.owner(lost)) not in (None, kept):
            return "taken", f"{lost} was {owner}'s before; an alias cannot give it to {kept}."
        return None

    def owner(self, one: str) -> str | None:
        """Whose the id is: the user it is another name of, or, while it has not identified, was first linked to."""
        if one in self.kept:
            return self.kept[one]
        links = [] if one in self.known else self.links.get(one, [])
        return next((name for _, user in links if (name := self.name(user)) != one), None)

    def name(self, user_id: str) -> str:
        return self.kept.get(user_id, user_id)

    def intervals(self) -> Iterator[Interval]:
        """For each anonymous id, in order: whose it is, from the beginning of time on, cut where another user comes."""
        for anonymous_id, links in sorted(self.links.items()):
            if len(links) == 1:
                yield Interval(anonymous_id, EVER_BEFORE, EVER_AFTER, self.name(links[0][1]))
                continue
            turns: list[tuple[int, str]] = []
            for time, user in self.moments(anonymous_id):
                if not turns or turns[-1][1] != user:
                    turns.append((time if turns else EVER_BEFORE, user))
            ends = [time for time, _ in turns[1:]] + [EVER_AFTER]
            for (start, user), end in zip(turns, ends, strict=True):
                yield Interval(anonymous_id, start, end, user)

    def moments(self, anonymous_id: str) -> Iterator[tuple[int, str]]:
        """One user for each time at which the id was linked: of several the first in the order of texts."""
        for time, links in groupby(self.links[anonymous_id], key=itemgetter(0)):
            users = sorted({self.name(user) for _, user in links})
            self.refused += refused_links([(time, anonymous_id, users)])
            yield time, users[0]


def refused_links(found: Iterable[tuple[int, str, Sequence[str]]]) -> Iterator[Refusal]:
    """Of users, in order, whom an anonymous id was linked to at one time, all but the first."""
    for time, anonymous_id, (first, *others) in found:
        for other in others:
            message = f"{anonymous_id} was linked to {first} at the same time; {other} is passed over."
            yield Refusal(time, "same-time", (anonymous_id, other), message)
