"""Which files a source names, and what is in them."""

from __future__ import annotations

import glob
import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from doorstep.errors import SourceError, nearest

FileKind = Literal["parquet", "csv", "json"]

_KINDS: Final[dict[str, FileKind]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_AT_A_TIME: Final = 4 << 20
_READABLE: Final = "Parquet (.parquet), CSV (.csv) and JSON lines (.jsonl, .ndjson, .json), the last two also .gz"


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one kind, in a settled order."""

    paths: tuple[str, ...]
    kind: FileKind

    @property
    def description(self) -> str:
        """What to call them: the one name, or the first and how many more."""
        return self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"


def resolve(source: str | Path | Sequence[str | Path]) -> Files:
    """The files that paths and globs name; SourceError when there are none, or they cannot be read together."""
    given = [source] if isinstance(source, str | Path) else list(source)
    if not given:
        raise SourceError("no-match", "the list of event files is empty. Name at least one file.")
    found = dict.fromkeys(path for one in given for path in _expand(os.path.expanduser(os.fspath(one))))
    kinds = {path: _kind(path) for path in found}
    if len(set(kinds.values())) > 1:
        shown = ", ".join(f"{path} ({kind})" for path, kind in list(kinds.items())[:4])
        raise SourceError(
            "mixed-kinds", f"the event files are of different kinds: {shown}. Give files of one kind, or convert them."
        )
    full = tuple(path for path in found if os.path.getsize(path) > 0)
    if not full:
        raise SourceError("empty-file", f"{next(iter(found))} is empty: there is not one event in it.")
    for path in full:
        if path.lower().endswith(".gz"):
            _check_whole(path)
    return Files(full, kinds[full[0]])


def _check_whole(path: str) -> None:
    """SourceError for a gzip file that was cut short or damaged, which DuckDB reads as far as it goes."""
    try:
        with gzip.open(path) as packed:
            while packed.read(_AT_A_TIME):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            "unreadable", f"{path} cannot be unpacked to its end: {error}. Fetch or write the file again."
        ) from None


def literal(path: str) -> str:
    """A path that DuckDB takes for itself and not for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _expand(path: str) -> list[str]:
    if os.path.isdir(path):
        raise SourceError(
            "directory",
            f"{path} is a folder. Name its files, with a pattern such as {os.path.join(path, '*.parquet')}.",
        )
    if os.path.exists(path):
        return [path]
    if not glob.has_magic(path):
        raise SourceError("no-such-file", f"there is no file {path}. {_near(path)}")
    matched = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
    if not matched:
        raise SourceError("no-match", f"no file matches {path}. Check the folder and the ending.")
    return matched


def _near(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"The folder {folder} does not exist either."
    near = nearest(os.path.basename(path), os.listdir(folder))
    return f"Did you mean {os.path.join(os.path.dirname(path), near)}?" if near else "Check the name and the folder."


def _kind(path: str) -> FileKind:
    name = path.lower()
    inner = name.removesuffix(".gz")
    kind = _KINDS.get(os.path.splitext(inner)[1])
    if kind is None:
        raise SourceError("unknown-kind", f"{path} is of no kind that can be read. Readable are {_READABLE}.")
    if kind == "parquet" and inner != name:
        raise SourceError("unknown-kind", f"{path}: Parquet is compressed inside already. Unpack it with gunzip first.")
    return kind
