"""What a run wants to know of each row."""

from __future__ import annotations

from dataclasses import dataclass

from doorstep.errors import SourceError, nearest
from doorstep.rows.names import Names

TRAIT: str = "unit."


@dataclass(frozen=True, slots=True)
class Needs:
    """``properties`` that conditions and breakdowns look at, columns that name the ``units``, columns to ``hold``."""

    properties: frozenset[str] = frozenset()
    units: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()

    @property
    def identities(self) -> tuple[str, ...]:
        """Columns whose values are compared whole: those of the unit, then those to hold constant."""
        return tuple(dict.fromkeys((*self.units, *self.hold)))

    @property
    def names(self) -> tuple[str, ...]:
        """Everything to look up, in a settled order."""
        return tuple(dict.fromkeys((*self.identities, *sorted(self.properties))))


def refuse_traits(needs: Needs, known: tuple[str, ...]) -> None:
    """SourceError ``no-traits`` for a trait that is no column of the rows: files of events carry none."""
    for name in needs.names:
        if name.startswith(TRAIT) and name not in known:
            raise SourceError(
                "no-traits",
                f"the definition looks at {name}, a trait of the unit, but a run over event rows is given no traits. "
                f"Use a property of the rows in its place, or add a column named {name!r}.",
            )


def no_unit_column(name: str, names: Names, known: tuple[str, ...], where: str) -> SourceError:
    """The error for a unit that no row names."""
    near = nearest(name, known)
    listed = ", ".join(known[:30]) + (", …" if len(known) > 30 else "")
    mend = f"Did you mean {near!r}? " if near else ""
    return SourceError(
        "no-unit-column",
        f"{where} has no column or property {names.of(name)!r} to count or group by. {mend}Its columns are: {listed}. "
        f"Say which it is: --map {name}=COLUMN, or columns={{{name!r}: 'COLUMN'}} in Python.",
    )
