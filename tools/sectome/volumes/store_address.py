"""Addresses of volumes in object stores and on web servers, and tensorstore's settings to reach them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sectome.checks import InputError

SCHEMES = "s3://, gs://, https:// or http://"
WRITABLE_SCHEMES = ("s3", "gs")
UNSIGNED_VARIABLE = "AWS_NO_SIGN_REQUEST"
"""Environment variable: with YES, S3 is read anonymously even if there are credentials."""

_ADDRESS = re.compile(r"(?P<scheme>s3|gs|https?)://(?P<place>.*)", re.IGNORECASE)


def is_address(name: str | os.PathLike[str]) -> bool:
    """Return whether a name is an address in an object store or on a web server."""
    return _ADDRESS.fullmatch(os.fspath(name)) is not None


def scheme_of(address: str) -> str:
    """Return the scheme of an address in lower case."""
    return address.partition("://")[0].lower()


def local_path(name: str | os.PathLike[str], what: str) -> Path:
    """Return a path; raise an `InputError` that calls it `what` if the name is an address."""
    if is_address(name):
        raise InputError(f"expected a local folder for {what}, got {os.fspath(name)!r}")
    return Path(name)


def kvstore_at(address: str) -> dict[str, Any]:
    """Return tensorstore's key-value store spec of an address.

    For S3 the environment sets the endpoint (`AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`) and its region (`AWS_REGION`
    or `AWS_DEFAULT_REGION`). Without an endpoint the bucket is asked for its own region.

    Raises:
        InputError: If the address names no bucket or no host.
    """
    match = _ADDRESS.fullmatch(address)
    host, _, path = (match["place"] if match else "").partition("/")
    if match is None or not host:
        raise InputError(f"expected {SCHEMES} followed by a bucket or a host, got {address!r}")
    scheme = scheme_of(address)
    if scheme in ("http", "https"):
        return {"driver": "http", "base_url": f"{scheme}://{match['place']}/"}
    kvstore = {"driver": "s3" if scheme == "s3" else "gcs", "bucket": host, "path": f"{path}/" if path else ""}
    return kvstore | _aws_environment() if scheme == "s3" else kvstore


def _aws_environment() -> dict[str, str]:
    found = {"aws_credentials": f"aws_credentials#{_aws_credentials()}"}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        found["endpoint"] = endpoint.rstrip("/")
        # Without an endpoint a given region would be taken as the bucket's, which may lie in another.
        if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
            found["aws_region"] = region
    return found


def _aws_credentials() -> str:
    if os.environ.get(UNSIGNED_VARIABLE, "").lower() in ("yes", "true", "1"):
        return "anonymous"
    # The default chain would find these too, but first complains about missing credential files.
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return "environment"
    return "default"
