"""A segment, as a value: the accounts of which some criteria hold, whoever they are at the moment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictStr

from doorstep.definitions.filters import Model
from doorstep.definitions.funnel import ColumnNames, Selector
from doorstep.definitions.journey import Catalogue
from doorstep.definitions.membership import Membership, Slug


class Segment(Model):
    """A segment definition."""

    segment: Slug = Field(description="The definition's slug: its identity across versions.")
    semantics: Literal[1] = Field(default=1, description="The version of the semantics it was written for.")
    title: StrictStr | None = Field(default=None, description="What people call it.")
    description: StrictStr | None = Field(default=None, description="What it is for.")
    owner: StrictStr | None = Field(default=None, description="Who answers for it.")
    tags: tuple[StrictStr, ...] = Field(default=(), description="Words to find it by.")
    count_by: ColumnNames = Field(default=("account_id",), description="What it is made of: accounts, or other units.")
    exclude: tuple[Selector, ...] = Field(default=(), description="Rows that do not exist for its criteria.")
    criteria: Membership = Field(description="What holds of its members.")
    features: Catalogue = Field(
        default_factory=dict, description="Feature → its rows, or {property: column}, for `feature` and `features`."
    )

    @property
    def name(self) -> str:
        """Its slug."""
        return self.segment

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns whose values name a member."""
        return self.count_by


__all__ = ["Segment"]
