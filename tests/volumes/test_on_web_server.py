"""Volumes on a web server: what is read, and how few requests that takes."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import warnings

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, store_folder, write_volume

from .conftest import OFFSET, VOXEL_SIZE
from .servers import RangeHandler, free_port, serving_folder

OUTPUTS = ["a.zarr", "a.ome.zarr", "a.n5:volumes/raw", "precomputed://a"]


def _write(tmp_path, output, array):
    """Write a volume, and return its local name and the one below the server's URL."""
    prefix, _, rest = output.rpartition("://")
    start = f"{prefix}://" if prefix else ""
    write_volume(f"{start}{tmp_path}/{rest}", array, voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    return f"{start}{tmp_path}/{rest}", start, rest


def _consolidate(path):
    zarr = pytest.importorskip("zarr", reason="needs Python 3.11")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is no part of the standard of zarr v3
        zarr.consolidate_metadata(path)


def _is_chunk(path):
    return not path.endswith((".json", "info", ".zarray", ".zattrs", ".zgroup", ".zmetadata"))


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_volume_is_the_same_as_in_a_folder(tmp_path, web_server, make_array, output):
    local, start, rest = _write(tmp_path, output, make_array(np.uint16, (40, 70, 130)))
    expected, volume = open_volume(local), open_volume(f"{start}{web_server.url}/{rest}")
    for name in ("shape", "dtype", "voxel_size_nm", "offset_nm", "levels", "dataset"):
        assert getattr(volume, name) == getattr(expected, name)
    np.testing.assert_array_equal(volume[1:39:3, ::-2, 5], expected[1:39:3, ::-2, 5])


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_crop_takes_only_its_chunks_and_metadata_are_read_once(tmp_path, web_server, make_array, output):
    _, start, rest = _write(tmp_path, output, make_array(np.uint8, (64, 128, 256)))
    volume = open_volume(f"{start}{web_server.url}/{rest}")
    opened = len(web_server.requests)
    assert opened <= 12
    assert not any(map(_is_chunk, web_server.requests))

    volume[0:32, 0:64, 60:70]  # chunks are (32, 64, 64): two of them
    first = web_server.requests[opened:]
    assert len([path for path in first if _is_chunk(path)]) == 2
    assert len(first) == 3  # tensorstore reads the metadata for itself

    volume[32:64, 64:128, 128:192]
    assert len(web_server.requests) == opened + 4
    volume[40:50, 70:80, 130:140]  # out of the cache
    assert len(web_server.requests) == opened + 4


def test_a_pickled_volume_takes_its_metadata_along(tmp_path, web_server, make_array):
    write_volume(tmp_path / "a.ome.zarr", make_array(np.uint8, (40, 70, 130)), voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(f"{web_server.url}/a.ome.zarr")
    copy = pickle.loads(pickle.dumps(volume))
    opened = len(web_server.requests)
    np.testing.assert_array_equal(copy[0:2], make_array(np.uint8, (40, 70, 130))[0:2])
    asked = web_server.requests[opened:]
    assert [path for path in asked if not _is_chunk(path)] == ["/a.ome.zarr/0/zarr.json"]


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("version", [2, 3])
def test_levels_are_found_with_and_without_consolidated_metadata(tmp_path, web_server, version, consolidated):
    zarr = pytest.importorskip("zarr", reason="needs Python 3.11")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    levels = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [30, 6 << n, 8 << n]}]}
        for n in (0, 1)
    ]
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    images = [{"version": "0.4", "axes": axes, "datasets": levels}]
    group.attrs.update({"multiscales": images} if version == 2 else {"ome": {"multiscales": images}})
    for number, shape in enumerate([(4, 8, 12), (4, 4, 6)]):
        array = group.create_array(str(number), shape=shape, dtype="uint8", chunks=(4, 4, 4))
        array[...] = number + 1
    if consolidated:
        _consolidate(tmp_path / "a.zarr")
    volume = open_volume(f"{web_server.url}/a.zarr", near_voxel_size_nm=(30, 12, 16))
    assert [level.shape for level in volume.levels] == [(4, 8, 12), (4, 4, 6)]
    assert (volume.dataset, volume.voxel_size_nm) == ("1", (30, 12, 16))
    if consolidated:
        assert not [path for path in web_server.requests if "/a.zarr/1/" in path]
    assert (volume[...] == 2).all()


def test_an_array_need_not_be_named_where_consolidated_metadata_list_one(tmp_path, web_server, make_array):
    write_volume(f"{tmp_path}/a.zarr:raw", make_array())
    with pytest.raises(
        InputError, match=r"name of a dataset after a colon, as in a\.zarr:raw, because http.* got none"
    ):
        open_volume(f"{web_server.url}/a.zarr")
    _consolidate(tmp_path / "a.zarr")
    np.testing.assert_array_equal(open_volume(f"{web_server.url}/a.zarr")[...], make_array())


def test_levels_of_an_n5_group_are_asked_for_by_number(tmp_path, web_server, make_array):
    for number in range(2):
        write_volume(f"{tmp_path}/a.n5:raw/s{number}", make_array(), voxel_size_nm=(30, 6 << number, 6 << number))
    volume = open_volume(f"{web_server.url}/a.n5:raw", near_voxel_size_nm=(30, 12, 12))
    assert ([level.dataset for level in volume.levels], volume.dataset) == (["raw/s0", "raw/s1"], "raw/s1")
    assert open_volume(f"{web_server.url}/a.n5:raw/s1").voxel_size_nm == (30, 12, 12)


def test_a_dataset_of_n5_must_be_named(tmp_path, web_server, make_array):
    write_volume(f"{tmp_path}/a.n5:volumes/raw", make_array())
    with pytest.raises(InputError, match=r"name of a dataset after a colon, as in a\.n5:raw, because http.* got none"):
        open_volume(f"{web_server.url}/a.n5")


def test_a_volume_needs_no_suffix(tmp_path, web_server, make_array):
    for output in ("a.zarr", "b.n5:s", "c.precomputed"):
        write_volume(f"{tmp_path}/{output}", make_array(), voxel_size_nm=VOXEL_SIZE)
    for output in ("a.zarr", "b.n5", "c.precomputed"):
        shutil.move(tmp_path / output, tmp_path / output[0])
    for name in ("a", "b/s", "c/"):
        np.testing.assert_array_equal(open_volume(f"{web_server.url}/{name}")[...], make_array())


def test_of_a_shard_only_the_chunks_are_read_if_the_server_knows_parts(tmp_path, web_server):
    zarr = pytest.importorskip("zarr", reason="needs Python 3.11")
    array = np.random.default_rng(0).integers(0, 255, (32, 64, 64), np.uint8)
    zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(8, 16, 16), shards=(32, 64, 64))
    with serving_folder(tmp_path, RangeHandler) as server:
        np.testing.assert_array_equal(open_volume(f"{server.url}/a.zarr")[2:6, 3:9, 20], array[2:6, 3:9, 20])
        assert 8 * 16 * 16 <= server.sent < 4 * 8 * 16 * 16
    with pytest.raises(InputError, match=r"expected a readable zarr, got http.*Error reading shard index"):
        open_volume(f"{web_server.url}/a.zarr")[2:6, 3:9, 20]


def test_the_command_line_reads_addresses(tmp_path, web_server, make_array, run):
    write_volume(tmp_path / "a.ome.zarr", make_array(), voxel_size_nm=VOXEL_SIZE)
    code, out, _ = run("info", f"{web_server.url}/a.ome.zarr:0")
    assert (code, json.loads(out)["voxel_size_nm"]) == (0, list(VOXEL_SIZE))
    assert run("convert", f"{web_server.url}/a.ome.zarr", tmp_path / "b.tif")[0] == 0
    np.testing.assert_array_equal(open_volume(tmp_path / "b.tif")[...], make_array())
    code, _, err = run("convert", tmp_path / "b.tif", f"{web_server.url}/c.zarr")
    assert (code, err.count("\n")) == (2, 1)
    assert "expected a folder, s3:// or gs:// to write to, got 'http://" in err


@pytest.mark.parametrize("name", ["none.zarr", "none.n5", "none", "a.zarr:none"])
def test_an_address_without_a_volume_is_one_sentence(tmp_path, web_server, make_array, name):
    write_volume(f"{tmp_path}/a.zarr:raw", make_array())
    with pytest.raises(InputError, match=r"expected a zarr, .* volume, got http://127.*none.*, where there is none"):
        open_volume(f"{web_server.url}/{name}")


def test_a_file_of_another_format_is_refused(web_server):
    with pytest.raises(
        InputError, match=r"in chunks \(\.zarr, \.n5, \.precomputed\) on a server, got 'a\.tif': download"
    ):
        open_volume(f"{web_server.url}/a.tif")


def test_metadata_that_are_none_and_a_damaged_chunk_are_one_sentence(tmp_path, web_server, make_array):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text("<html>sign in</html>")
    with pytest.raises(InputError, match=r"expected readable zarr metadata, got http://127.*/a\.zarr: JSONDecodeError"):
        open_volume(f"{web_server.url}/a.zarr")
    write_volume(tmp_path / "b.zarr", make_array())
    (tmp_path / "b.zarr" / "c" / "0" / "0" / "0").write_bytes(b"short")
    with pytest.raises(InputError, match=r"expected a readable zarr, got http://127.*/b\.zarr: ") as caught:
        open_volume(f"{web_server.url}/b.zarr")[...]
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence(web_server):
    address = f"http://127.0.0.1:{free_port()}/a.zarr"
    with pytest.raises(InputError, match=r"expected a server that answers, got Could not connect .* for http://127"):
        open_volume(address)


def test_a_server_that_stays_silent_is_one_sentence(monkeypatch):
    monkeypatch.setattr(store_folder, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zarr"
        with pytest.raises(InputError, match=rf"expected a server that answers, got none within 0\.1 s for {address}"):
            open_volume(address)
