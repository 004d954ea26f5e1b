from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.volumes.store_address import is_address, kvstore_at

AWS = ("ENDPOINT_URL", "ENDPOINT_URL_S3", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in (*AWS, "NO_SIGN_REQUEST"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)


@pytest.mark.parametrize(
    ("address", "kvstore"),
    [
        ("gs://lab/a/b.zarr", {"driver": "gcs", "bucket": "lab", "path": "a/b.zarr/"}),
        ("gs://lab", {"driver": "gcs", "bucket": "lab", "path": ""}),
        ("https://host:8080/a/b.zarr", {"driver": "http", "base_url": "https://host:8080/a/b.zarr/"}),
        (
            "S3://Lab/a",
            {"driver": "s3", "bucket": "Lab", "path": "a/", "aws_credentials": "aws_credentials#default"},
        ),
    ],
)
def test_addresses_are_taken_apart(address, kvstore):
    assert is_address(address)
    assert kvstore_at(address) == kvstore


def test_an_endpoint_and_its_region_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "aws_region" not in kvstore_at("s3://lab/a")  # a bucket may lie in another
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000/")
    found = kvstore_at("s3://lab/a")
    assert (found["endpoint"], found["aws_region"]) == ("http://minio:9000", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://other:9000")
    assert kvstore_at("s3://lab/a")["endpoint"] == "http://other:9000"


def test_requests_are_signed_as_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    assert kvstore_at("s3://lab/a")["aws_credentials"] == "aws_credentials#default"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert kvstore_at("s3://lab/a")["aws_credentials"] == "aws_credentials#environment"
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    assert kvstore_at("s3://lab/a")["aws_credentials"] == "aws_credentials#anonymous"


@pytest.mark.parametrize("address", ["s3://", "gs:///a.zarr", "https://"])
def test_an_address_without_a_bucket_or_a_host_is_refused(address):
    with pytest.raises(InputError, match=f"followed by a bucket or a host, got '{address}'"):
        kvstore_at(address)


@pytest.mark.parametrize("name", ["a.zarr", "/s3/a.zarr", "s3:/lab/a.zarr", "ftp://host/a", "precomputed://s3://lab/a"])
def test_other_names_are_no_addresses(name):
    assert not is_address(name)
