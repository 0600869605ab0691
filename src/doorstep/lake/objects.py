"""Data in object storage (``s3://``): with whatever AWS's own tools would sign in with."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

import duckdb

from doorstep.rows import quoting

SCHEME: Final = "s3://"
EXTENSIONS: Final = ("httpfs", "aws")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Environment variables for a store that is not Amazon's, as the AWS tools read them."""


def is_remote(data: str) -> bool:
    """Whether a lake's data path is no directory of this machine."""
    return "://" in data


def sign_in(connection: duckdb.DuckDBPyConnection, data: str) -> None:
    """Lets a connection that has loaded `EXTENSIONS` read and write below ``data``. Keys come from the environment
    (``AWS_ACCESS_KEY_ID``, …), from ``~/.aws``, or from the machine's role, in this order; they are written nowhere.
    """
    said = {"SCOPE": quoting.text(data), "REFRESH": "auto"}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        said["REGION"] = quoting.text(region)
    endpoint = urlsplit(next((found for name in _ENDPOINTS if (found := os.environ.get(name))), ""))
    if endpoint.netloc:
        said |= {
            "ENDPOINT": quoting.text(endpoint.netloc + endpoint.path.rstrip("/")),
            "URL_STYLE": "'path'",
            "USE_SSL": str(endpoint.scheme != "http").lower(),
        }
    options = "".join(f", {name} {value}" for name, value in said.items())
    connection.execute(
        f"CREATE OR REPLACE SECRET doorstep_lake (TYPE s3, PROVIDER credential_chain, VALIDATION 'none'{options})"
    )


__all__ = ["EXTENSIONS", "SCHEME", "is_remote", "sign_in"]
