"""A lake whose files are in object storage: a real server of the S3 protocol, spoken to over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

import doorstep
from commands import typed
from doorstep.errors import StoreError
from lakes import START, counts, event

SOURCE = "user_id,event,time,plan\nu7,signup,2026-01-01T00:00:00Z,pro\nu7,pay,2026-01-01T01:00:00Z,pro\n"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A bucket, and an environment that leads to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="events")
    yield address
    server.stop()


def test_a_lake_with_its_files_in_a_bucket(storage: str, tmp_path: Path) -> None:
    """Made by the command line, filled by imports and calls, asked, compacted, checked, and asked again as it was."""
    (tmp_path / "e.csv").write_text(SOURCE, "utf-8")
    made = typed(tmp_path, "lake", "create", "--lake", "shop", "--files", "s3://events/shop", "--json")
    assert made.json["files"] == "s3://events/shop"
    assert typed(tmp_path, "import", "e.csv", "--lake", "shop", "--json").json["added"] == 2
    with doorstep.open_lake(tmp_path / "shop", create=False) as lake:
        lake.accept([event("1", "signup", plan="pro"), event("2", "pay", hours=1)])
        lake.settle()
        first = lake.snapshot().id
        lake.keep(first, "why")
        lake.accept([event("3", "signup", "u2", plan="pro", seats=2)])
        lake.settle()
        lake.compact()
        assert (counts(lake), counts(lake.at(first))) == ([3, 2], [2, 2])
        assert lake.check() == ()
        assert lake.add(tmp_path / "e.csv", received_at=START).added == 0
    kept = boto3.client("s3", endpoint_url=storage).list_objects_v2(Bucket="events")["Contents"]
    assert kept
    assert all(one["Key"].startswith("shop/") and one["Key"].endswith(".parquet") for one in kept)
    assert not list((tmp_path / "shop").rglob("*.parquet"))


def test_storage_that_cannot_be_reached_is_told(storage: str, tmp_path: Path) -> None:
    """No bucket: a sentence with what to look at; what was accepted waits until there is one."""
    (tmp_path / "e.csv").write_text(SOURCE, "utf-8")
    typed(tmp_path, "lake", "create", "--lake", "shop", "--files", "s3://nowhere/shop")
    ran = typed(tmp_path, "import", "e.csv", "--lake", "shop", "--json")
    assert (ran.returncode, ran.json["error"]["code"]) == (2, "no-storage")
    assert "AWS_ENDPOINT_URL" in ran.stderr
    with doorstep.open_lake(tmp_path / "shop") as lake:
        lake.accept([event("1", "signup")])
        with pytest.raises(StoreError, match="s3://nowhere/shop"):
            lake.settle()
        assert (lake.facts().waiting, lake.facts().rejects) == (1, 0)


@pytest.mark.parametrize(
    ("catalog", "data", "code"), [(None, "ftp://host/x", "bad-data-path"), ("mysql:x", None, "bad-catalog")]
)
def test_places_that_cannot_be_are_refused(tmp_path: Path, catalog: str | None, data: str | None, code: str) -> None:
    """Before anything is written."""
    with pytest.raises(StoreError) as refused:
        doorstep.open_lake(tmp_path / "lake", catalog=catalog, data=data)
    assert refused.value.code == code
    assert not (tmp_path / "lake").exists()
