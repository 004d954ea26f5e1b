from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import blocks, open_volume, write_volume
from sectome.volumes.downsample import block_majority, block_mean
from sectome.volumes.ome_zarr import find_image

from .conftest import OFFSET, VOXEL_SIZE

zarr = pytest.importorskip("zarr", reason="zarr-python needs Python 3.11")

LEVELS = [((70, 130, 70), VOXEL_SIZE), ((70, 65, 35), (30, 12, 16)), ((70, 33, 18), (30, 24, 32))]
LEVELS += [((35, 17, 9), (60, 48, 64))]


def _labels(dtype):
    labels = np.ones((70, 130, 70), dtype)
    labels[:, 64:], labels[30:, :, 35:] = 200, 7
    return labels


def test_the_metadata_is_that_of_ome_zarr_0_5(tmp_path, make_array):
    write_volume(tmp_path / "a.ome.zarr", make_array(shape=(5, 70, 11)), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    image = group.attrs["ome"]["multiscales"][0]
    assert group.attrs["ome"]["version"] == "0.5"
    assert image["axes"] == [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    assert image["datasets"] == [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [30, 6, 8]},
                {"type": "translation", "translation": [300, -36, 48]},
            ],
        },
        {
            "path": "1",
            "coordinateTransformations": [
                {"type": "scale", "scale": [30, 12, 16]},
                {"type": "translation", "translation": [300, -33, 52]},
            ],
        },
    ]
    assert group["1"].shape == (5, 35, 6)


def test_images_are_averaged_and_labels_never(tmp_path, make_array):
    image = make_array(np.uint8, (70, 130, 70))
    volumes = {"image": image, "image32": image.astype(np.float32)}
    volumes |= {"labels16": _labels(np.uint16), "labels8": _labels(np.uint8), "mask": _labels(np.uint8) == 7}
    for name, array in volumes.items():
        write_volume(tmp_path / f"{name}.ome.zarr", array, voxel_size_nm=VOXEL_SIZE)
        group = zarr.open_group(tmp_path / f"{name}.ome.zarr", mode="r")
        is_image = name.startswith("image")
        assert group.attrs["ome"]["multiscales"][0]["type"] == ("mean" if is_image else "majority")
        for level, factors in (("1", (1, 2, 2)), ("2", (1, 2, 2)), ("3", (2, 2, 2))):
            array = (block_mean if is_image else block_majority)(array, factors)
            np.testing.assert_array_equal(group[level][...], array)
        assert sorted(group.array_keys()) == ["0", "1", "2", "3"]


def test_labels_are_said_to_be_labels_and_images_are_not(tmp_path, make_array):
    models = pytest.importorskip("ome_zarr_models.v05.image_label", reason="needs Python 3.11")
    labels = {f"labels_{dtype}": _labels(dtype) for dtype in ("uint8", "uint16", "uint64")}
    images = {f"image_{dtype}": make_array(dtype, (70, 130, 70)) for dtype in ("uint8", "uint16", "float32")}
    for name, array in {**labels, **images, "mask": _labels(np.uint8) == 7}.items():
        write_volume(tmp_path / f"{name}.ome.zarr", array, voxel_size_nm=VOXEL_SIZE)
        group = zarr.open_group(tmp_path / f"{name}.ome.zarr", mode="r")
        said = models.ImageLabel.from_zarr(group).attributes.ome
        assert said.version == "0.5"
        assert (said.image_label is not None) == (name in labels)


def test_a_group_of_labels_lists_those_in_it(tmp_path, make_array):
    models = pytest.importorskip("ome_zarr_models.v05", reason="needs Python 3.11")
    path = tmp_path / "a.ome.zarr"
    write_volume(path, make_array(np.uint8, (70, 130, 70)), voxel_size_nm=VOXEL_SIZE)
    for name in ("neurons", "mitochondria", "neurons", "deeper/cells"):
        write_volume(f"{path}:labels/{name}", _labels(np.uint16), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{path}:labels/grey", make_array(np.float32, (70, 130, 70)), voxel_size_nm=VOXEL_SIZE)
    root = zarr.open_group(path, mode="r+")
    assert root["labels"].attrs["ome"] == {"version": "0.5", "labels": ["neurons", "mitochondria"]}
    models.Image.from_zarr(root)
    root["labels"].attrs.update({"mine": 1, "ome": {"version": "0.5", "labels": ["neurons"], "theirs": 2}})
    write_volume(f"{path}:labels/synapses", _labels(np.uint32), voxel_size_nm=VOXEL_SIZE)
    labels = zarr.open_group(path, mode="r")["labels"]
    assert labels.attrs.asdict() == {
        "mine": 1,
        "ome": {"version": "0.5", "labels": ["neurons", "synapses"], "theirs": 2},
    }
    assert models.Labels.from_zarr(labels).label_paths == ["neurons", "synapses"]
    np.testing.assert_array_equal(open_volume(f"{path}:labels/synapses")[...], _labels(np.uint32))


def test_a_group_without_attributes_lists_labels_too(tmp_path):
    for folder in ("a.ome.zarr", "a.ome.zarr/labels"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    write_volume(f"{tmp_path}/a.ome.zarr:labels/neurons", _labels(np.uint16), voxel_size_nm=VOXEL_SIZE)
    assert zarr.open_group(tmp_path / "a.ome.zarr", mode="r")["labels"].attrs["ome"]["labels"] == ["neurons"]


def test_a_dataset_is_a_level_of_an_image_or_it_is_not(tmp_path, make_array):
    for name in ("a.ome.zarr", "b.zarr:raw", "c.h5:raw", "d.tif"):
        write_volume(f"{tmp_path}/{name}", make_array(), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{tmp_path}/e.ome.zarr:deep/raw", make_array(), voxel_size_nm=VOXEL_SIZE)
    for name, folder in (("a.ome.zarr", "a.ome.zarr"), ("e.ome.zarr:deep/raw", "e.ome.zarr/deep/raw")):
        volume = open_volume(f"{tmp_path}/{name}")
        assert find_image(volume.path, volume.dataset) == tmp_path / folder
    for name in ("b.zarr:raw", "c.h5:raw", "d.tif"):
        volume = open_volume(f"{tmp_path}/{name}")
        assert find_image(volume.path, volume.dataset) is None


def test_each_chunk_is_written_once_in_bounded_memory(tmp_path, make_array, monkeypatch):
    written = Counter()
    sizes = []
    iterate = blocks.iterate_blocks

    def counted(source, chunk, *of_blocks):
        for box in iterate(source, chunk, *of_blocks):
            if not of_blocks:  # parts of a block
                yield box
                continue
            (voxel_bytes,) = of_blocks
            starts = [range(part.start, part.stop, step) for part, step in zip(box, chunk, strict=True)]
            assert not any(part.start % step for part, step in zip(box, chunk, strict=True))
            written.update((tuple(source.shape), z, y, x) for z in starts[0] for y in starts[1] for x in starts[2])
            sizes.append((voxel_bytes or 1) * np.prod([part.stop - part.start for part in box]))
            yield box

    monkeypatch.setattr(blocks, "iterate_blocks", counted)
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 2**21)
    array = make_array(np.uint8, (70, 200, 300))
    write_volume(tmp_path / "a.ome.zarr", array, voxel_size_nm=(8, 8, 8))
    assert set(written.values()) == {1}
    assert max(sizes) <= max(2**21, 8 * 17 * 32 * 64 * 64)
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/a.ome.zarr:1")[...], block_mean(array, (2, 2, 2)))


@pytest.mark.parametrize(("near", "level"), [(None, 0), ((30, 6, 8), 0), ((30, 14, 14), 1), ((500, 500, 500), 3)])
def test_a_level_is_chosen_by_its_voxel_size(tmp_path, near, level):
    write_volume(tmp_path / "a.ome.zarr", _labels(np.uint32), voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(tmp_path / "a.ome.zarr", near_voxel_size_nm=near)
    assert (volume.shape, volume.voxel_size_nm, volume.dataset) == (*LEVELS[level], str(level))
    assert [(found.shape, found.voxel_size_nm) for found in volume.levels] == LEVELS
    assert open_volume(f"{tmp_path}/a.ome.zarr:{level}").levels == ()


def test_asking_for_a_level_of_one_resolution_is_said(tmp_path, make_array):
    write_volume(tmp_path / "a.zarr", make_array(), voxel_size_nm=VOXEL_SIZE)
    with pytest.warns(UserWarning, match=r"near_voxel_size_nm changes nothing: .*a\.zarr has one resolution"):
        open_volume(tmp_path / "a.zarr", near_voxel_size_nm=(30, 6, 6))
    with pytest.raises(InputError, match="near_voxel_size_nm must be three positive numbers"):
        open_volume(tmp_path / "a.zarr", near_voxel_size_nm=(30, 6))


def test_without_a_voxel_size_levels_are_written_and_named_but_not_chosen(tmp_path):
    write_volume(tmp_path / "a.ome.zarr", _labels(np.uint8))
    volume = open_volume(tmp_path / "a.ome.zarr")
    assert (volume.voxel_size_nm, volume.dataset, len(volume.levels)) == (None, "0", 3)
    assert open_volume(f"{tmp_path}/a.ome.zarr:1").shape == (35, 65, 35)
    with pytest.raises(InputError, match="expected levels with voxel sizes"):
        open_volume(tmp_path / "a.ome.zarr", near_voxel_size_nm=(8, 8, 8))


@pytest.mark.parametrize("version", [2, 3])
def test_the_level_with_the_smallest_voxels_stands_for_the_image_in_any_order(tmp_path, make_array, version):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    group.create_array("low", data=make_array()[None, None, ::2, ::2, ::2])
    group.create_array("full", data=make_array()[None, None])
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, *scale]}]}
        for path, scale in (("low", (0.06, 0.012, 0.016)), ("full", (0.03, 0.006, 0.008)))
    ]
    image = {"axes": axes, "datasets": datasets}
    image["coordinateTransformations"] = [{"type": "translation", "translation": [0, 0, 0.3, -0.036, 0.048]}]
    group.attrs.update({"multiscales": [image]} if version == 2 else {"ome": {"multiscales": [image]}})
    volume = open_volume(tmp_path / "a.zarr")
    assert (volume.dataset, volume.voxel_size_nm, volume.offset_nm) == ("full", VOXEL_SIZE, OFFSET)
    np.testing.assert_array_equal(volume[...], make_array())
    assert open_volume(tmp_path / "a.zarr", near_voxel_size_nm=(60, 12, 12)).dataset == "low"


def test_several_channels_are_refused(tmp_path, make_array):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("0", data=np.stack([make_array()] * 3)[None])
    axes = [{"name": axis} for axis in "tczyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    with pytest.raises(
        InputError, match=r"expected a volume of three axes \(z, y, x\), got 5 in shape \(1, 3, 5, 7, 11\)"
    ):
        open_volume(tmp_path / "a.zarr")


def test_a_level_that_is_not_there_is_named(tmp_path, make_array):
    write_volume(tmp_path / "a.ome.zarr", make_array(), voxel_size_nm=VOXEL_SIZE)
    (tmp_path / "a.ome.zarr" / "0").rename(tmp_path / "a.ome.zarr" / "1")
    with pytest.raises(InputError, match=r"expected the array '0', which the OME-Zarr image .* names, got none"):
        open_volume(tmp_path / "a.ome.zarr")


def test_an_image_is_replaced_but_not_with_arrays_that_are_not_its_own(tmp_path, make_array):
    for _ in range(2):
        write_volume(f"{tmp_path}/a.ome.zarr:raw", make_array(), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{tmp_path}/a.ome.zarr:labels/cells", make_array(np.uint32), voxel_size_nm=VOXEL_SIZE)
    assert open_volume(f"{tmp_path}/a.ome.zarr:raw").dataset == "raw/0"
    with pytest.raises(InputError, match=r"got the group a\.ome\.zarr/labels"):
        write_volume(f"{tmp_path}/a.ome.zarr:labels", make_array())
    with pytest.raises(InputError, match="holds others"):
        write_volume(tmp_path / "a.ome.zarr", make_array())


def test_damaged_multiscales_are_one_sentence(tmp_path, make_array):
    write_volume(tmp_path / "a.ome.zarr", make_array(), voxel_size_nm=VOXEL_SIZE)
    metadata = json.loads((tmp_path / "a.ome.zarr" / "zarr.json").read_text())
    del metadata["attributes"]["ome"]["multiscales"][0]["datasets"]
    (tmp_path / "a.ome.zarr" / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"expected a readable .*zarr, got .*a\.ome\.zarr: 'datasets'"):
        open_volume(tmp_path / "a.ome.zarr")
