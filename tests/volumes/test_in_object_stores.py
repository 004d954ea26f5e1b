"""Volumes in S3, and in a stand-in of Google's object store: read, written, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.unfinished import Unfinished
from sectome.volumes import blocks, open_volume, write_volume
from sectome.volumes.formats import locate_output
from sectome.volumes.other_place import check_output
from sectome.volumes.store_folder import open_address

from .conftest import OFFSET, VOXEL_SIZE
from .servers import free_port, put, upload

PLACED = {"voxel_size_nm": VOXEL_SIZE, "offset_nm": OFFSET}


@pytest.mark.parametrize("output", ["a.zarr", "a.ome.zarr", "a.zarr:deep/raw", "a.n5:volumes/raw", "a.precomputed"])
def test_a_volume_is_the_same_as_in_a_folder(tmp_path, bucket, make_array, output):
    write_volume(f"{tmp_path}/{output}", make_array(np.uint16, (40, 70, 130)), **PLACED)
    upload(tmp_path, bucket.url)
    expected = open_volume(f"{tmp_path}/{output}")
    prefix = "precomputed://" if output.endswith(".precomputed") else ""
    for name in (f"{bucket.address}/{output}", f"{prefix}{bucket.address}/{output}"):
        volume = open_volume(name)
        for what in ("shape", "dtype", "voxel_size_nm", "offset_nm", "levels", "dataset"):
            assert getattr(volume, what) == getattr(expected, what)
        np.testing.assert_array_equal(volume[1:39:3, ::-2, 5], expected[1:39:3, ::-2, 5])
    assert (volume.name, volume.path.name) == (name, output.partition(":")[0])


def test_a_level_is_chosen_by_its_voxel_size(tmp_path, bucket, make_array):
    write_volume(tmp_path / "a.ome.zarr", make_array(np.uint8, (10, 70, 140)), voxel_size_nm=(30, 6, 6))
    upload(tmp_path, bucket.url)
    volume = open_volume(f"{bucket.address}/a.ome.zarr", near_voxel_size_nm=(30, 24, 24))
    assert (volume.dataset, volume.voxel_size_nm) == ("2", (30, 24, 24))
    assert open_volume(f"{bucket.address}/a.ome.zarr:1").voxel_size_nm == (30, 12, 12)


def test_a_public_bucket_needs_no_account_and_a_private_one_does(tmp_path, bucket, make_array, monkeypatch):
    write_volume(tmp_path / "a.zarr", make_array())
    upload(tmp_path / "a.zarr", f"{bucket.url}/public.zarr", x_amz_acl="public-read")
    upload(tmp_path / "a.zarr", f"{bucket.url}/private.zarr")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/public.zarr")[...], make_array())
    with pytest.raises(
        InputError, match=r"credentials may read or write, got s3://lab-\d+/private\.zarr, which is denied"
    ):
        open_volume(f"{bucket.address}/private.zarr")
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST")
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/private.zarr")[...], make_array())
    # Without any, those of the AWS library are looked for, and none are needed.
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/public.zarr")[...], make_array())


@pytest.mark.parametrize("key", ["none.zarr", "none", "a.zarr:none", "none.n5:raw"])
def test_a_missing_key_and_a_missing_bucket_are_one_sentence(tmp_path, bucket, make_array, key):
    write_volume(tmp_path / "a.zarr", make_array())
    upload(tmp_path, bucket.url)
    with pytest.raises(InputError, match=r"expected a zarr, .* volume, got s3://lab-.*none.*, where there is none$"):
        open_volume(f"{bucket.address}/{key}")
    with pytest.raises(InputError, match=r"expected a bucket that exists, got s3://no-such-bucket/.*none"):
        open_volume(f"s3://no-such-bucket/{key}")


def test_a_server_that_is_not_there_is_one_sentence(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match=r"expected a server that answers, got Could not connect .* for s3://lab"):
        open_volume("s3://lab/a.zarr")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
@pytest.mark.parametrize("output", ["b.zarr", "b.zarr:deep/raw", "b.ome.zarr", "b.ome.zarr:deep/image"])
def test_what_is_written_is_the_same_as_in_a_folder(tmp_path, bucket, make_array, output, dtype):
    array = make_array(dtype, (40, 70, 130))
    write_volume(f"{tmp_path}/{output}", array, **PLACED)
    write_volume(f"{bucket.address}/{output}", array, **PLACED)
    expected, written = open_volume(f"{tmp_path}/{output}"), open_volume(f"{bucket.address}/{output}")
    for what in ("shape", "dtype", "voxel_size_nm", "offset_nm", "levels"):
        assert getattr(written, what) == getattr(expected, what)
    np.testing.assert_array_equal(written[...], array)
    for level in expected.levels:
        name = f"{output.partition(':')[0]}:{level.dataset}"
        np.testing.assert_array_equal(
            open_volume(f"{bucket.address}/{name}")[...], open_volume(f"{tmp_path}/{name}")[...]
        )


class Torn:
    """A source (Z, Y, X) that fails when it is read for the second time."""

    shape = (64, 128, 128)
    dtype = np.dtype(np.uint8)

    def __init__(self):
        self.reads = 0

    def __getitem__(self, box):
        self.reads += 1
        if self.reads > 1:
            raise OSError("torn")
        return np.ones([part.stop - part.start for part in box], np.uint8)


@pytest.mark.parametrize("output", ["b.zarr", "b.ome.zarr", "b.zarr:raw"])
def test_what_is_half_written_is_no_volume_and_can_be_written_again(bucket, make_array, output, monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", Torn.shape[0] * Torn.shape[1] * Torn.shape[2] // 2)
    place, dataset, known = locate_output(f"{bucket.address}/{output}")
    with pytest.raises(OSError, match="torn"):
        known.write(place, dataset, Torn(), Placement(), Unfinished())
    with pytest.raises(InputError, match="where there is none"):
        open_volume(f"{bucket.address}/{output}")
    write_volume(f"{bucket.address}/{output}", make_array())
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/{output}")[...], make_array())


@pytest.mark.parametrize("output", ["b.zarr", "b.ome.zarr", "b.zarr:raw"])
def test_what_is_there_is_not_replaced(bucket, make_array, output):
    address = f"{bucket.address}/{output}"
    write_volume(address, make_array())
    refusal = r"expected nothing at s3://lab-\d+/b.*, got a volume .*: .*, remove it first"
    with pytest.raises(InputError, match=refusal):
        check_output(address, "a.tif")
    with pytest.raises(InputError, match=refusal):
        write_volume(address, make_array() + 1)
    np.testing.assert_array_equal(open_volume(address)[...], make_array())


def test_a_group_takes_another_array_and_no_array_takes_one(tmp_path, bucket, make_array):
    zarr = pytest.importorskip("zarr", reason="needs Python 3.11")
    write_volume(f"{bucket.address}/b.zarr:raw", make_array())
    write_volume(f"{bucket.address}/b.zarr:labels/neurons", make_array(np.uint32))
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/b.zarr:raw")[...], make_array())
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/b.zarr:labels/neurons")[...], make_array(np.uint32))
    with pytest.raises(InputError, match=r"expected a group at s3://.*/b\.zarr/raw, got an array"):
        write_volume(f"{bucket.address}/b.zarr:raw/more", make_array())
    zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    upload(tmp_path, bucket.url)
    with pytest.raises(InputError, match=r"expected a zarr v3 group to write into, got zarr v2 at s3://.*/old\.zarr"):
        write_volume(f"{bucket.address}/old.zarr:raw", make_array())
    put(f"{bucket.url}/c.zarr/attributes.json", b"{}")
    with pytest.raises(InputError, match=r"expected nothing at s3://.*/c\.zarr, got a volume"):
        write_volume(f"{bucket.address}/c.zarr", make_array())


def test_labels_are_listed_in_their_group(bucket):
    labels = np.ones((4, 70, 80), np.uint16)
    for name in ("neurons", "mitochondria"):
        write_volume(f"{bucket.address}/b.ome.zarr:labels/{name}", labels, **PLACED)
    said = json.loads((open_address(f"{bucket.address}/b.ome.zarr") / "labels/zarr.json").read_text("utf-8"))
    assert said["attributes"] == {"ome": {"version": "0.5", "labels": ["neurons", "mitochondria"]}}
    np.testing.assert_array_equal(open_volume(f"{bucket.address}/b.ome.zarr:labels/neurons")[...], labels)


@pytest.mark.parametrize("name", ["{}/b.tif", "{}/b.n5", "{}/b.precomputed", "precomputed://{}/b"])
def test_only_zarr_is_written_to_an_object_store(bucket, make_array, name):
    with pytest.raises(InputError, match=r"expected \.ome\.zarr or \.zarr to write to an object store, got '.*/b"):
        write_volume(name.format(bucket.address), make_array(), voxel_size_nm=VOXEL_SIZE)
    with pytest.raises(InputError, match=r"numbered sections, precomputed:// or one of .*, got 'b'"):
        write_volume(f"{bucket.address}/b", make_array())


def test_what_may_not_be_written_and_a_missing_bucket_are_one_sentence(bucket, make_array, monkeypatch):
    with pytest.raises(InputError, match=r"expected a bucket that exists, got s3://no-such-bucket/b\.zarr"):
        write_volume("s3://no-such-bucket/b.zarr", make_array())
    put(f"{bucket.url}/b.zarr/c/0/0/0", b"private")
    put(f"{bucket.url}/c.zarr/zarr.json", b"private")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    for output in ("b.zarr", "c.zarr"):
        with pytest.raises(
            InputError, match=r"credentials may read or write, got s3://lab-\d+/[bc]\.zarr, which is denied"
        ):
            write_volume(f"{bucket.address}/{output}", make_array())


def test_an_error_of_the_source_is_not_said_of_the_store(bucket, monkeypatch):
    monkeypatch.setattr(Torn, "__getitem__", lambda source, box: int("torn"))
    place, dataset, known = locate_output(f"{bucket.address}/b.zarr")
    with pytest.raises(ValueError, match=r"invalid literal .*: 'torn'"):
        known.write(place, dataset, Torn(), Placement(), Unfinished())


def test_the_command_line_converts_there_and_back(tmp_path, bucket, make_array, run):
    write_volume(tmp_path / "a.tif", make_array(np.uint8, (20, 80, 70)), **PLACED)
    address = f"{bucket.address}/deep/b.ome.zarr"
    code, out, _ = run("convert", tmp_path / "a.tif", address)
    assert (code, out) == (0, f"wrote {address}\n")
    code, out, _ = run("info", address)
    described = json.loads(out)
    assert (code, described["offset_nm"]) == (0, list(OFFSET))
    assert [level["dataset"] for level in described["levels"]] == ["0", "1"]
    assert run("convert", address, tmp_path / "b.tif")[0] == 0
    np.testing.assert_array_equal(open_volume(tmp_path / "b.tif")[...], make_array(np.uint8, (20, 80, 70)))
    code, _, err = run("convert", tmp_path / "a.tif", address)
    assert (code, err.count("\n")) == (2, 1)


def test_google_is_read_and_written(google, make_array):
    write_volume("gs://lab/a.ome.zarr", make_array(np.uint8, (10, 80, 70)), **PLACED)
    assert "a.ome.zarr/1/zarr.json" in google.objects
    volume = open_volume("gs://lab/a.ome.zarr")
    assert (volume.voxel_size_nm, volume.offset_nm, len(volume.levels)) == (VOXEL_SIZE, OFFSET, 2)
    np.testing.assert_array_equal(volume[...], make_array(np.uint8, (10, 80, 70)))
    with pytest.raises(InputError, match=r"got gs://lab/none\.zarr, where there is none"):
        open_volume("gs://lab/none.zarr")
