"""A document as YAML that `yaml_text` reads as the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from doorstep.definitions.yaml_text import plain_scalar

WIDTH: Final = 110


class _Dumper(yaml.SafeDumper):
    """PyYAML writes by YAML 1.1; what only the core schema of 1.2 takes for a number or so is quoted too,
    and what YAML would break or fold."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    plain = plain_scalar(text) == text and text.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def to_yaml(document: Mapping[str, object]) -> str:
    """The document's YAML: keys in their order, innermost collections on one line."""
    return yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None
    )


__all__ = ["to_yaml"]
