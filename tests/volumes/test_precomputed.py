from __future__ import annotations

import gzip
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts

from sectome.checks import InputError
from sectome.volumes import blocks, open_volume, write_volume
from sectome.volumes.precomputed_info import resolve
from sectome.volumes.store_folder import open_address

from .conftest import OFFSET, VOXEL_SIZE

SCALE = {"key": "8_6_30", "size": [11, 7, 5], "resolution": [8, 6, 30], "voxel_offset": [6, -6, 10], "encoding": "raw"}


def _save(folder, array, *, info=None, chunk=None):
    """Write a volume file by file, as the specification has it: one raw chunk, x runs fastest."""
    content = {
        "@type": "neuroglancer_multiscale_volume",
        "type": "image",
        "data_type": array.dtype.name,
        "num_channels": 1,
        "scales": [{**SCALE, "chunk_sizes": [[11, 7, 5]]}],
    }
    (folder / "8_6_30").mkdir(parents=True)
    (folder / "info").write_text(json.dumps({**content, **(info or {})}))
    (folder / "8_6_30" / "6-17_-6-1_10-15").write_bytes(array.tobytes() if chunk is None else chunk)


@pytest.fixture
def serve(web_server):
    """Serve the test's folder; return its URL."""
    return web_server.url


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64", "float32"])
def test_a_volume_is_x_first_in_its_files_and_z_first_here(tmp_path, make_array, dtype):
    _save(tmp_path / "a", make_array(dtype))
    for name in (f"{tmp_path}/a", f"precomputed://{tmp_path}/a", f"precomputed://file://{tmp_path}/a/"):
        volume = open_volume(name)
        assert (volume.shape, volume.dtype) == ((5, 7, 11), np.dtype(dtype))
        assert (volume.voxel_size_nm, volume.offset_nm) == (VOXEL_SIZE, OFFSET)
        np.testing.assert_array_equal(volume[1:4:2, ::-1, 5], make_array(dtype)[1:4:2, ::-1, 5])


@pytest.mark.parametrize(
    ("dtype", "kind", "encoding"),
    [("uint8", "image", "raw"), ("uint16", "image", "raw"), ("float32", "image", "raw")]
    + [(dtype, "segmentation", "compressed_segmentation") for dtype in ("uint32", "uint64")],
)
def test_neuroglancer_finds_what_it_needs_in_what_is_written(tmp_path, make_array, dtype, kind, encoding):
    array = make_array(dtype, (40, 70, 130))
    write_volume(f"precomputed://{tmp_path}/a", array, voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    info = json.loads((tmp_path / "a" / "info").read_text())
    assert (info["@type"], info["type"], info["num_channels"]) == ("neuroglancer_multiscale_volume", kind, 1)
    scale = info["scales"][0]
    assert (scale["size"], scale["voxel_offset"], scale["encoding"]) == ([130, 70, 40], [6, -6, 10], encoding)
    assert (scale["resolution"], scale["chunk_sizes"]) == ([8, 6, 30], [[64, 64, 32]])
    assert len(list((tmp_path / "a" / scale["key"]).iterdir())) == 2 * 2 * 3
    volume = open_volume(tmp_path / "a")
    assert (volume.voxel_size_nm, volume.offset_nm) == (VOXEL_SIZE, OFFSET)
    np.testing.assert_array_equal(volume[...], array)


@pytest.fixture(params=["uint8", "float32", "uint16", "uint64"])
def volume_to_coarsen(request, make_array):
    """An image, or large labels, that has levels of 130, 65 and 33 rows."""
    if request.param in ("uint8", "float32"):
        return make_array(request.param, (70, 130, 70))
    labels = np.random.default_rng(0).integers(0, 5, (24, 27, 15)).astype(request.param)
    return labels.repeat(3, 0).repeat(5, 1).repeat(5, 2)[:70, 1:131, 2:72]


def open_scales(folder):
    """Return what `info` says of each scale, and the scale (Z, Y, X) with its own offset."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/"}
    said = json.loads((folder / "info").read_text())["scales"]
    return said, [ts.open({**spec, "scale_index": n}, read=True).result()[..., 0].T for n in range(len(said))]


def test_scales_are_the_levels_of_an_ome_zarr(tmp_path, volume_to_coarsen):
    where = {"voxel_size_nm": VOXEL_SIZE, "offset_nm": (30 * 10, 6 * -16, 8 * 24)}
    write_volume(tmp_path / "a.ome.zarr", volume_to_coarsen, **where)
    write_volume(tmp_path / "a.precomputed", volume_to_coarsen, **where)
    said, scales = open_scales(tmp_path / "a.precomputed")
    assert [scale["resolution"] for scale in said] == [[8, 6, 30], [16, 12, 30], [32, 24, 30], [64, 48, 60]]
    assert [scale["voxel_offset"] for scale in said] == [[24, -16, 10], [12, -8, 10], [6, -4, 10], [3, -2, 5]]
    for number, scale in enumerate(scales):
        level = open_volume(f"{tmp_path}/a.ome.zarr:{number}")
        np.testing.assert_array_equal(scale.read().result(), level[...])
    opened = open_volume(tmp_path / "a.precomputed")
    assert [(level.shape, level.voxel_size_nm) for level in opened.levels] == [
        (level.shape, level.voxel_size_nm) for level in open_volume(tmp_path / "a.ome.zarr").levels
    ]


def reference_block(values, first, at, factors, is_labels):
    """Return what most voxels of a block, counted from the origin, or their mean are."""
    box = (
        slice(max(place * factor - begin, 0), (place + 1) * factor - begin)
        for place, factor, begin in zip(at, factors, first, strict=True)
    )
    block = values[tuple(box)].ravel()
    if is_labels:
        return max(block.tolist(), key=block.tolist().count)
    return block.mean() if values.dtype.kind == "f" else np.rint(block.mean())


def test_scales_of_an_odd_offset_lie_upon_each_other(tmp_path, volume_to_coarsen, monkeypatch):
    # So that blocks are made of several boxes.
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 2**17)
    write_volume(tmp_path / "a.precomputed", volume_to_coarsen, voxel_size_nm=VOXEL_SIZE, offset_nm=(330, -42, 40))
    said, scales = open_scales(tmp_path / "a.precomputed")
    assert [scale["voxel_offset"] for scale in said] == [[5, -7, 11], [2, -4, 11], [1, -2, 11], [0, -1, 5]]
    assert [scale["size"] for scale in said] == [[70, 130, 70], [36, 66, 70], [18, 33, 70], [10, 17, 36]]
    np.testing.assert_array_equal(scales[0].read().result(), volume_to_coarsen)
    for finer, coarser, factors in zip(scales, scales[1:], [(1, 2, 2), (1, 2, 2), (2, 2, 2)], strict=False):
        assert coarser.domain == ts.downsample(finer, factors, "mean").domain
        is_labels = volume_to_coarsen.dtype.name in ("uint16", "uint64")
        values, first, begin = finer.read().result(), finer.domain.inclusive_min, coarser.domain.inclusive_min
        # All corners, and some within.
        places = [*itertools.product(*((0, extent - 1) for extent in coarser.shape))]
        places += np.random.default_rng(0).integers(0, coarser.shape, (300, 3)).tolist()
        expected = [reference_block(values, first, np.add(begin, at), factors, is_labels) for at in places]
        got = coarser.read().result()[tuple(np.transpose(places))]
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)


def test_a_volume_of_scales_is_replaced_by_one_of_one(tmp_path, make_array):
    write_volume(tmp_path / "a.precomputed", make_array(shape=(5, 140, 11)), voxel_size_nm=VOXEL_SIZE)
    write_volume(tmp_path / "a.precomputed", make_array(), voxel_size_nm=VOXEL_SIZE)
    assert sorted(file.name for file in (tmp_path / "a.precomputed").iterdir()) == ["8_6_30", "info"]


def test_a_scale_is_chosen_by_its_voxel_size(tmp_path, make_array):
    coarse = {"key": "16_12_30", "size": [6, 4, 5], "resolution": [16, 12, 30], "encoding": "raw"}
    scales = [{**coarse, "chunk_sizes": [[6, 4, 5]]}, {**SCALE, "chunk_sizes": [[11, 7, 5]]}]
    _save(tmp_path / "a", make_array(), info={"scales": scales})
    volume = open_volume(tmp_path / "a")
    assert (volume.dataset, volume.voxel_size_nm, volume.offset_nm) == ("8_6_30", VOXEL_SIZE, OFFSET)
    np.testing.assert_array_equal(volume[...], make_array())
    volume = open_volume(tmp_path / "a", near_voxel_size_nm=(30, 15, 15))
    assert (volume.dataset, volume.shape, volume.voxel_size_nm) == ("16_12_30", (5, 4, 6), (30, 12, 16))
    assert not volume[...].any()


def test_a_volume_is_read_over_http(tmp_path, make_array, serve):
    write_volume(tmp_path / "a.precomputed", make_array(np.uint64), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    volume = open_volume(f"precomputed://{serve}/a.precomputed")
    assert (volume.shape, volume.voxel_size_nm, volume.offset_nm) == ((5, 7, 11), VOXEL_SIZE, OFFSET)
    assert (volume.path.name, volume.name) == ("a.precomputed", f"precomputed://{serve}/a.precomputed")
    np.testing.assert_array_equal(volume[1:4, ::2, -3:], make_array(np.uint64)[1:4, ::2, -3:])
    write_volume(tmp_path / "b.tif", volume)
    assert open_volume(tmp_path / "b.tif").offset_nm == OFFSET


def test_a_chunk_that_a_server_has_not_is_0_and_a_damaged_one_is_one_sentence(tmp_path, make_array, serve):
    _save(tmp_path / "a", make_array())
    (chunk,) = (tmp_path / "a" / "8_6_30").iterdir()
    chunk.unlink()
    assert not open_volume(f"precomputed://{serve}/a")[...].any()
    chunk.write_bytes(b"short")
    with pytest.raises(InputError, match=r"expected a readable precomputed volume, got http://127.*/a: ") as caught:
        open_volume(f"precomputed://{serve}/a")[...]
    assert "\n" not in str(caught.value)


def test_files_that_a_server_hands_out_compressed_are_read(tmp_path, make_array, serve):
    _save(tmp_path / "a", make_array())
    for file in (tmp_path / "a" / "info", tmp_path / "a" / "8_6_30" / "6-17_-6-1_10-15"):
        file.write_bytes(gzip.compress(file.read_bytes()))
        file.with_suffix(".is_gzip").touch()
    np.testing.assert_array_equal(open_volume(f"precomputed://{serve}/a")[...], make_array())


def test_a_404_is_one_sentence(serve):
    with pytest.raises(
        InputError, match=r"expected a .* precomputed volume, got http://127.*/none, where there is none"
    ):
        open_volume(f"precomputed://{serve}/none")


@pytest.mark.parametrize("content", ["<html>sign in</html>", "[1, 2]", '{"@type": '])
def test_an_info_that_is_no_json_object_is_one_sentence(tmp_path, serve, content):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "info").write_text(content)
    for name in (f"{tmp_path}/a", f"precomputed://{serve}/a"):
        sentence = rf"expected a JSON object in .*a/info, got b'{re.escape(content[:5])}"
        with pytest.raises(InputError, match=sentence):
            open_volume(name)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"num_channels": 3}, "expected one channel, got 3"),
        ({"@type": "neuroglancer_skeletons"}, "expected a precomputed volume at .*, got neuroglancer_skeletons"),
        ({"data_type": "colour"}, "expected the info of a precomputed volume"),
        ({"scales": [{"key": "a"}]}, "expected the info of a precomputed volume at .*, got one without: KeyError"),
        ({"scales": []}, "expected at least one scale in .*, got none"),
    ],
)
def test_an_info_of_something_else_is_refused(tmp_path, make_array, info, message):
    _save(tmp_path / "a", make_array(), info=info)
    with pytest.raises(InputError, match=message):
        open_volume(tmp_path / "a")


def test_a_folder_without_info_and_damaged_chunks_are_one_sentence(tmp_path, make_array):
    (tmp_path / "a.precomputed").mkdir()
    with pytest.raises(InputError, match=r"with the file info, got none in .*a\.precomputed"):
        open_volume(tmp_path / "a.precomputed")
    _save(tmp_path / "b", make_array(), chunk=b"short")
    with pytest.raises(InputError, match=r"expected a readable precomputed volume, got .*/b"):
        open_volume(tmp_path / "b")[...]


def test_chunks_that_would_be_read_as_absent_are_refused(tmp_path, make_array):
    _save(tmp_path / "a", make_array())
    (chunk,) = (tmp_path / "a" / "8_6_30").iterdir()
    chunk.rename(f"{chunk}.gz")
    with pytest.raises(InputError, match=r"not compressed as a whole, got 6-17_-6-1_10-15\.gz in"):
        open_volume(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("precomputed:///data/a", Path("/data/a")),
        ("precomputed://file:///data/a/", Path("/data/a")),
        ("precomputed://data/a", Path("data/a")),
        ("precomputed://https://host/a/", open_address("https://host/a")),
        ("precomputed://gs://bucket/a/b", open_address("gs://bucket/a/b")),
        ("precomputed://s3://bucket/a/b", open_address("s3://bucket/a/b")),
    ],
)
def test_schemes_are_resolved(name, place):
    assert resolve(name) == place


def test_an_unknown_scheme_and_an_output_on_a_server_are_refused(make_array):
    with pytest.raises(InputError, match=r"s3://, gs://, .*, got 'precomputed://ftp://host/a'"):
        open_volume("precomputed://ftp://host/a")
    with pytest.raises(
        InputError, match=r"expected a folder, .*, got 'precomputed://https://host/a', which is read-only"
    ):
        write_volume("precomputed://https://host/a", make_array(), voxel_size_nm=VOXEL_SIZE)


def test_what_precomputed_cannot_hold_is_refused(tmp_path, make_array):
    with pytest.raises(InputError, match=r"expected a type that precomputed can hold \(uint8, .*\), got int64"):
        write_volume(tmp_path / "a.precomputed", make_array(np.int64), voxel_size_nm=VOXEL_SIZE)
    with pytest.raises(InputError, match=r"must have, got none: give voxel_size_nm"):
        write_volume(tmp_path / "a.precomputed", make_array())
    assert not list(tmp_path.iterdir())


def test_meshes_beside_a_volume_are_not_lost(tmp_path, make_array):
    write_volume(tmp_path / "a.precomputed", make_array(), voxel_size_nm=VOXEL_SIZE)
    (tmp_path / "a.precomputed" / "mesh").mkdir()
    with pytest.raises(InputError, match=r"expected a folder that holds only one volume at .*, got one with mesh"):
        write_volume(tmp_path / "a.precomputed", make_array(), voxel_size_nm=VOXEL_SIZE)


@pytest.mark.parametrize(("dtype", "side"), [("uint8", 80), ("uint16", 20)])
def test_small_integers_that_look_like_labels_are_a_segmentation(tmp_path, dtype, side):
    labels = np.kron(np.arange(1, 28).reshape(3, 3, 3), np.ones((side // 3 + 1,) * 3)).astype(dtype)
    write_volume(tmp_path / "labels.precomputed", labels, voxel_size_nm=(8, 8, 8))
    info = json.loads((tmp_path / "labels.precomputed/info").read_text())
    assert info["type"] == "segmentation"
    assert len(info["scales"]) == (2 if side == 80 else 1)
    assert {scale["encoding"] for scale in info["scales"]} == {"raw"}
    noise = np.random.default_rng(0).integers(0, 200, labels.shape).astype(dtype)
    write_volume(tmp_path / "image.precomputed", noise, voxel_size_nm=(8, 8, 8))
    assert json.loads((tmp_path / "image.precomputed/info").read_text())["type"] == "image"
