"""Filters as people write them: ``{country: [US, CA], plan: {ne: free}, any: [{…}, {…}]}`` (semantics 2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Final, cast

import re2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from doorstep.definitions.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Condition,
    Not,
    Operator,
    Scalar,
    Test,
    scalar_key,
)
from doorstep.definitions.quoting import quoted


class Model(BaseModel):
    """Base of every part of a document: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _literal(value: object) -> object:
    if value is None:
        raise PydanticCustomError(
            "literal",
            "null is not a value to compare with. Write {example} for a missing property.",
            {"example": "{exists: false}"},
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError(
            "literal", "{value} is not a number that a property can equal.", {"value": str(value)}
        )
    if isinstance(value, dict | list):
        raise PydanticCustomError(
            "literal",
            "a test compares with a text, a number, true or false, not with a {kind}.",
            {"kind": "mapping" if isinstance(value, dict) else "list"},
        )
    return value


def _expression(value: object) -> object:
    if isinstance(value, str):
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(value, options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
            raise PydanticCustomError(
                "expression",
                "{text} is not a regular expression that runs in linear time (RE2): {reason}.",
                {"text": quoted(value), "reason": reason},
            ) from None
    return value


_Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Literal_ = Annotated[_Scalar, BeforeValidator(_literal)]
Ordered = Annotated[StrictInt | StrictFloat | StrictStr, BeforeValidator(_literal)]
Expression = Annotated[StrictStr, BeforeValidator(_expression)]


class _Given:
    """A key that may be left out but, once written, has a value."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_given, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        return {"anyOf": [one for one in schema["anyOf"] if one != {"type": "null"}]}


def _given(value: object) -> object:
    if value is None:
        raise PydanticCustomError(
            "empty",
            "nothing is given here. Give it a value, or leave the key out; {example} is the test for a missing one.",
            {"example": "{exists: false}"},
        )
    return value


GIVEN: Final = _Given()


class Operators(Model):
    """Tests of one property; all given must hold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    eq: Annotated[Literal_ | None, GIVEN] = Field(default=None, description="Equals this value, of this type.")
    ne: Annotated[Literal_ | None, GIVEN] = Field(default=None, description="Is present and does not equal this value.")
    in_: Annotated[tuple[Literal_, ...] | None, GIVEN] = Field(
        default=None, alias="in", min_length=1, description="Equals one of these."
    )
    not_in: Annotated[tuple[Literal_, ...] | None, GIVEN] = Field(
        default=None, min_length=1, description="Is present and equals none of these."
    )
    gt: Annotated[Ordered | None, GIVEN] = Field(
        default=None, description="Greater than; numbers with numbers, texts with texts."
    )
    gte: Annotated[Ordered | None, GIVEN] = Field(default=None, description="Greater than or equal.")
    lt: Annotated[Ordered | None, GIVEN] = Field(default=None, description="Less than.")
    lte: Annotated[Ordered | None, GIVEN] = Field(default=None, description="Less than or equal.")
    between: Annotated[tuple[Ordered, Ordered] | None, GIVEN] = Field(
        default=None, description="From the first to the second, both included."
    )
    contains: Annotated[StrictStr | None, GIVEN] = Field(default=None, description="A text that has this text in it.")
    starts_with: Annotated[StrictStr | None, GIVEN] = Field(
        default=None, description="A text that begins with this text."
    )
    ends_with: Annotated[StrictStr | None, GIVEN] = Field(default=None, description="A text that ends with this text.")
    matches: Annotated[Expression | None, GIVEN] = Field(
        default=None, description="A text in which this regular expression (RE2) finds a match."
    )
    exists: Annotated[StrictBool | None, GIVEN] = Field(
        default=None, description="Whether the property is present and not null."
    )

    @model_validator(mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        if value == {}:
            raise PydanticCustomError(
                "empty",
                "no operator is given. Write one of {operators}.",
                {"operators": ", ".join(field.alias or name for name, field in cls.model_fields.items())},
            )
        return value

    def tests(self, property_name: str) -> Iterable[Test]:
        """The tests these operators stand for."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is None:
                continue
            match name:
                case "eq":
                    yield Test(property_name, "in", (value,))
                case "ne":
                    yield Test(property_name, "not_in", (value,))
                case "in_":
                    yield Test(property_name, "in", distinct(value))
                case "not_in":
                    yield Test(property_name, "not_in", distinct(value))
                case "between":
                    yield Test(property_name, "gte", (value[0],))
                    yield Test(property_name, "lte", (value[1],))
                case _:
                    yield Test(property_name, cast(Operator, name), (value,))


def distinct(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """Sorted, each value once; 1 and 1.0 are one value."""
    return tuple(
        {scalar_key(value): value for value in sorted(values, key=scalar_key, reverse=True)}[key]
        for key in sorted({scalar_key(v) for v in values})
    )


def _form(value: object) -> str:
    if isinstance(value, dict | Operators):
        return "operators"
    if isinstance(value, list | tuple):
        return "one of"
    return "equals"


PropertyTest = Annotated[
    Annotated[Literal_, Tag("equals")]
    | Annotated[tuple[Literal_, ...], Field(min_length=1), Tag("one of")]
    | Annotated[Operators, Tag("operators")],
    Discriminator(_form),
]


class Filters(Model):
    """Property → test; all must hold. ``all``, ``any`` and ``not`` combine filters."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PropertyTest] = Field(init=False)

    all_: Annotated[tuple[Filters, ...] | None, GIVEN] = Field(
        default=None, alias="all", description="Every one of these filters holds."
    )
    any_: Annotated[tuple[Filters, ...] | None, GIVEN] = Field(
        default=None, alias="any", min_length=1, description="At least one of these filters holds."
    )
    not_: Annotated[Filters | None, GIVEN] = Field(
        default=None,
        alias="not",
        description="This filter does not hold; true where the property is missing.",
    )

    @property
    def condition(self) -> Condition:
        """What these filters mean, with single-member groups unwrapped."""
        parts: list[Condition] = []
        for name, test in sorted((self.__pydantic_extra__ or {}).items()):
            if isinstance(test, Operators):
                parts.extend(test.tests(name))
            elif isinstance(test, tuple):
                parts.append(Test(name, "in", distinct(test)))
            else:
                parts.append(Test(name, "in", (test,)))
        for inner in self.all_ or ():
            found = inner.condition
            parts.extend(found.of if isinstance(found, All) else (found,))
        if self.any_:
            parts.append(AnyOf(tuple(inner.condition for inner in self.any_)))
        if self.not_ is not None:
            parts.append(Not(self.not_.condition))
        if not parts:
            return ALWAYS
        return parts[0] if len(parts) == 1 else All(tuple(parts))


__all__ = ["Filters", "Model", "Operators", "PropertyTest"]
