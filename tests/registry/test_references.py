"""A published definition is named wherever a file may be, and many files are published at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import doorstep
from doorstep.errors import DefinitionError, RegistryError
from doorstep.registry import Reference, Registry, definition, publish_files, reference
from registry.conftest import Ticking
from registry.documents import signup


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("signup@3", Reference("signup", 3)),
        ("signup@latest", Reference("signup", None)),
        ("signup", Reference("signup", None)),
        ("a-b_c9@12", Reference("a-b_c9", 12)),
    ],
)
def test_references_are_read(text: str, found: Reference) -> None:
    """A name, and a number or the word latest."""
    assert reference(text) == found


@pytest.mark.parametrize(
    "text", ["signup@", "signup@0", "signup@-1", "signup@x", "@1", "Signup@1", "a b@1", "a@1@2", ""]
)
def test_what_is_no_reference_is_told(text: str) -> None:
    """With the form of one."""
    with pytest.raises(RegistryError, match="Write name@3"):
        reference(text)


def test_a_reference_stands_where_a_file_may(
    registry: Registry, place: Path | str, clock: Ticking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that exists is meant first; without a number only where the caller allows it."""
    monkeypatch.chdir(tmp_path)
    registry.publish(signup("1d"), by="ada")
    registry.publish(signup("2d"), by="ada")
    assert definition("signup@1", place, clock) == doorstep.load(signup("1d"))
    assert definition("signup@latest", place, clock) == definition("signup", place, clock, bare=True)
    with pytest.raises(DefinitionError, match="There is no file signup"):
        definition("signup", place, clock)
    (tmp_path / "signup@1").write_text(yaml.dump(signup("9d")), "utf-8")
    assert definition("signup@1", place, clock) == doorstep.load(signup("9d"))
    with pytest.raises(DefinitionError, match=r"There is no file x@1\.yaml"):
        definition("x@1.yaml", place, clock)
    with pytest.raises(RegistryError, match="versions 1 to 2"):
        definition("signup@3", place, clock)


def _write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump(document), "utf-8")
    return path


def test_a_directory_is_published_file_by_file(registry: Registry, tmp_path: Path) -> None:
    """Every definition in it however deep, hidden files left out; one that cannot be does not stop another."""
    late = [{"at": "0s", "event": "signup"}]
    fails = [{"name": "x", "events": late, "expect": {"reached": 2}}]
    _write(tmp_path / "a.yaml", signup(funnel="a"))
    _write(tmp_path / "deep" / "er" / "b.yml", signup(funnel="b"))
    _write(tmp_path / "c.yaml", signup(funnel="c", examples=fails))
    _write(tmp_path / "d.yaml", {"funnel": "d"})
    _write(tmp_path / ".hidden" / "e.yaml", {"not": "read"})
    (tmp_path / "notes.txt").write_text("not read", "utf-8")
    told = publish_files(registry, [tmp_path, tmp_path / "a.yaml"], by="ada")
    assert [(str(one.file.relative_to(tmp_path)), one.result) for one in told] == [
        ("a.yaml", "published"),
        ("c.yaml", "refused"),
        ("d.yaml", "invalid"),
        ("deep/er/b.yml", "published"),
    ]
    _write(tmp_path / "a.yaml", signup("1d", funnel="a"))
    again = publish_files(registry, [tmp_path / "a.yaml", tmp_path / "deep"], by="ada")
    assert [one.result for one in again] == ["published", "unchanged"]
    assert [str(one) for one in registry.names()] == ["a@2", "b@1"]


def test_two_files_of_one_name_are_not_published_in_turns(registry: Registry, tmp_path: Path) -> None:
    """They would undo each other for ever; alike ones are one."""
    files = [_write(tmp_path / "a.yaml", signup("1d")), _write(tmp_path / "b.yaml", signup("2d"))]
    told = publish_files(registry, files, by="ada")
    assert [one.result for one in told] == ["invalid", "invalid"]
    assert "define signup differently" in str(told[0].error)
    _write(tmp_path / "b.yaml", signup("24h"))
    assert [one.result for one in publish_files(registry, files, by="ada")] == ["published", "unchanged"]


def test_nothing_to_publish_is_an_error(registry: Registry, tmp_path: Path) -> None:
    """An empty directory is most likely the wrong one."""
    with pytest.raises(RegistryError, match=r"holds no file that ends in \.yaml"):
        publish_files(registry, [tmp_path], by="ada")
