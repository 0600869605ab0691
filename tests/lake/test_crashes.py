"""A process that is killed at any moment: what it acknowledged is there once, and nothing is half there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import doorstep
from killing import kill_at_work
from lakes import START, rows_of

INGEST = """
import os, sys
import doorstep
from lakes import event
lake = doorstep.open_lake(sys.argv[1])
said = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for batch in range(10_000):
    names = [f"{sys.argv[3]}-{batch}-{n}" for n in range(20)]
    lake.accept([event(name, ("signup", "pay")[n % 2], name, plan="pro", **{f"p{batch % 7}": n})
                 for n, name in enumerate(names)])
    os.write(said, "".join(name + chr(10) for name in names).encode())
    if batch % 3 == 0:
        lake.settle()
    if batch % 25 == 24:
        lake.compact()
"""


def _survive(tmp_path: Path, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    lake = doorstep.open_lake(tmp_path / "lake")
    said = tmp_path / "said"
    for life in range(lives):
        kill_at_work(INGEST, lake.place.directory, said, life, said=said, seconds=chance.random() * 0.8, within=60)
        lake.settle(wait=10)
        kept = [name for (name,) in rows_of(lake, "message_id")]
        acknowledged = said.read_text("utf-8").split()
        assert len(set(kept)) == len(kept), "something is there twice"
        assert set(acknowledged) <= set(kept), "something acknowledged is lost"
        whole = {name.rpartition("-")[0] for name in kept}
        assert len(kept) == 20 * len(whole), "a batch is half there"
    assert lake.check() == ()
    lake.close()


def test_whatever_is_killed_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    """SIGKILL while it accepts, settles and compacts: the lake opens as if nothing had been."""
    _survive(tmp_path, 4, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    """The same, at many more moments."""
    _survive(tmp_path, 20, seed)


def test_an_import_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Imported again after a kill, the rows are all there and each once."""
    rows = 300_000
    pl.DataFrame(
        {
            "user_id": [f"u{n % 1000}" for n in range(rows)],
            "event": "e",
            "time": [START + n for n in range(rows)],
            "message_id": [f"m{n}" if n % 2 else None for n in range(rows)],
        }
    ).write_parquet(tmp_path / "e.parquet")
    lake = doorstep.open_lake(tmp_path / "lake")
    script = "import sys, doorstep; doorstep.open_lake(sys.argv[1]).add(sys.argv[2], received_at=1)"
    command = [sys.executable, "-c", script, str(lake.place.directory), str(tmp_path / "e.parquet")]
    for seconds in (0.8, 1.2, 1.6):
        child = subprocess.Popen(command)
        time.sleep(seconds)
        child.kill()
        child.wait()
    came = lake.add(tmp_path / "e.parquet", received_at=1)
    assert came.added + came.duplicates == rows
    assert rows_of(lake, "count(*), count(DISTINCT time)") == [(rows, rows)]
    assert lake.check() == ()


def test_an_import_stopped_by_ctrl_c_keeps_the_files_that_were_done(tmp_path: Path) -> None:
    """Exit code 130 and one sentence; imported again, everything is there once."""
    rows = 400_000
    for number in range(3):
        pl.DataFrame(
            {
                "user_id": [f"u{n % 1000}" for n in range(rows)],
                "event": "e",
                "time": [START + n + number * rows for n in range(rows)],
            }
        ).write_parquet(tmp_path / f"{number}.parquet")
    lake = doorstep.open_lake(tmp_path / "lake")
    command = [str(Path(sys.executable).parent / "doorstep"), "import", f"{tmp_path}/*.parquet", "--lake"]
    child = subprocess.Popen([*command, str(lake.place.directory)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not rows_of(lake, "1", "imports") and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert (child.returncode, said.count("\n")) == (130, 1), said
    assert "start it again" in said
    done = rows_of(lake, "count(*)")[0][0]
    assert done in (rows, 2 * rows)
    assert lake.add(sorted(tmp_path.glob("*.parquet")), received_at=1).added == 3 * rows - done
    assert rows_of(lake, "count(*), count(DISTINCT time)") == [(3 * rows, 3 * rows)]
    assert lake.check() == ()
