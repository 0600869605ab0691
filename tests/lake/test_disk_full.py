from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import doorstep
from commands import typed
from doorstep.lake import Accepted, Busy
from lakes import event, rows_of


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(lake: doorstep.Lake, kept: list[str]) -> None:
    """Sends without end, and notes what was acknowledged."""
    for batch in range(10_000):
        names = [f"{batch}-{n}" for n in range(50)]
        assert lake.accept([event(name, "signup", text="x" * 300) for name in names]) == Accepted(50, 0)
        kept += names


def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path) -> None:
    """Calls that do not fit are refused whole, with a clear answer; after room is made all goes on."""
    lake = doorstep.open_lake(small_disk / "lake")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(10_000_000))
    kept: list[str] = []
    with pytest.raises(Busy, match="is full") as raised:
        _fill(lake, kept)
    assert raised.value.code == "disk-full"
    with pytest.raises(doorstep.StoreError):
        lake.settle()
    filler.unlink()
    lake.settle()
    assert lake.accept([event("after", "signup")]) == Accepted(1, 0)
    lake.settle()
    assert {name for (name,) in rows_of(lake, "message_id")} == {*kept, "after"}
    assert lake.check() == ()
    lake.close()


def test_a_full_disk_is_told_to_readers_too(small_disk: Path) -> None:
    """They need a little room themselves; when it is made, they find everything."""
    with doorstep.open_lake(small_disk / "lake") as lake:
        lake.accept([event("1", "signup")])
        lake.settle()
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    (small_disk.parent / "e.csv").write_text("user_id,event,time\nu,e,2026-01-01\n", "utf-8")
    for words in ("lake show --lake lake --json", "import ../e.csv --lake lake --json"):
        ran = typed(small_disk, *words.split())
        assert (ran.returncode, ran.json["error"]["code"]) == (2, "disk-full")
    filler.unlink()
    assert typed(small_disk, "lake", "show", "--lake", "lake", "--json").json["tables"]["events"]["rows"] == 1
