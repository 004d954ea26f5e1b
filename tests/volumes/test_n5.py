from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.geometry import ORIGIN
from sectome.volumes import open_volume, write_volume
from sectome.volumes.volume import require_voxel_size

from .conftest import OFFSET, VOXEL_SIZE

XYZ = [8, 6, 30]


def _save(folder, array, **attributes):
    """Write a dataset of one raw block byte by byte, as the N5 specification has it: x runs fastest, big-endian."""
    z, y, x = array.shape
    (folder / "0" / "0").mkdir(parents=True)
    block = struct.pack(">HHIII", 0, 3, x, y, z) + array.astype(array.dtype.newbyteorder(">")).tobytes()
    (folder / "0" / "0" / "0").write_bytes(block)
    metadata = {"dimensions": [x, y, z], "blockSize": [x, y, z], "dataType": array.dtype.name}
    _attributes(folder, **metadata, compression={"type": "raw"}, **attributes)


def _attributes(folder, **attributes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "attributes.json").write_text(json.dumps(attributes))


TRANSFORM = {"axes": ["z", "y", "x"], "scale": [30, 6, 8], "translate": [300, -36, 48], "units": ["nm"] * 3}
"""As COSEM writes it."""


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64", "float32"])
def test_a_dataset_is_x_first_in_the_file_and_z_first_here(tmp_path, make_array, dtype):
    array = make_array(dtype)
    _save(tmp_path / "a.n5" / "volumes" / "raw", array, resolution=XYZ, offset=[48, -36, 300])
    for name in ("a.n5", "a.n5:volumes/raw", "a.n5/volumes/raw"):
        volume = open_volume(f"{tmp_path}/{name}")
        assert (volume.shape, volume.dtype) == (array.shape, array.dtype)
        assert (volume.voxel_size_nm, volume.offset_nm) == (VOXEL_SIZE, OFFSET)
        np.testing.assert_array_equal(volume[1:4:2, ::-1, 5], array[1:4:2, ::-1, 5])


@pytest.mark.parametrize(
    ("attributes", "size", "offset"),
    [
        ({"resolution": XYZ, "offset": [48, -36, 300]}, VOXEL_SIZE, OFFSET),
        ({"resolution": [0.008, 0.006, 0.03], "offset": [0.048, -0.036, 0.3], "units": ["um"] * 3}, VOXEL_SIZE, OFFSET),
        ({"resolution": [30, 6, 8], "offset": [300, -36, 48], "axes": ["z", "y", "x"]}, VOXEL_SIZE, OFFSET),
        ({"resolution": XYZ, "units": ["px"] * 3}, None, ORIGIN),
        ({"pixelResolution": {"dimensions": [0.008, 0.006, 0.03], "unit": "um"}}, VOXEL_SIZE, ORIGIN),
        ({"pixelResolution": {"dimensions": XYZ, "unit": "pixel"}}, None, ORIGIN),
        ({"pixelResolution": XYZ}, VOXEL_SIZE, ORIGIN),
        ({"pixelResolution": [4, 3, 15], "downsamplingFactors": [2, 2, 2]}, VOXEL_SIZE, ORIGIN),
        ({"pixelResolution": XYZ, "transform": TRANSFORM}, VOXEL_SIZE, OFFSET),
        ({"transform": {**TRANSFORM, "units": ["pixel"] * 3}}, None, ORIGIN),
        (
            {"transform": {"axes": ["x", "z", "y"], "scale": [8, 30, 6], "translate": [48, 300, -36]}},
            VOXEL_SIZE,
            OFFSET,
        ),
        ({"transform": {**TRANSFORM, "translate": None}, "offset": [48, -36, 300]}, VOXEL_SIZE, OFFSET),
        ({"transform": {"axes": ["t", "y", "x"], "scale": [30, 6, 8]}}, None, ORIGIN),
        ({"resolution": "high"}, None, ORIGIN),
        ({}, None, ORIGIN),
    ],
)
def test_known_attributes_give_voxel_size_and_offset(tmp_path, make_array, attributes, size, offset):
    _save(tmp_path / "a.n5" / "raw", make_array(), **attributes)
    volume = open_volume(tmp_path / "a.n5")
    assert (volume.voxel_size_nm, volume.offset_nm) == (size, offset)


def test_levels_of_n5_viewer_are_found_with_the_resolution_of_their_group(tmp_path, make_array):
    channel = tmp_path / "a.n5" / "c0"
    _save(channel / "s0", make_array())
    _save(channel / "s1", make_array()[:, ::2, ::2])
    resolution = {"unit": "nm", "dimensions": XYZ}
    _attributes(channel, scales=[[1, 1, 1], [2, 2, 1]], pixelResolution=resolution)
    volume = open_volume(f"{tmp_path}/a.n5:c0")
    assert (volume.dataset, volume.voxel_size_nm) == ("c0/s0", VOXEL_SIZE)
    coarse = open_volume(f"{tmp_path}/a.n5:c0", near_voxel_size_nm=(30, 14, 14))
    assert (coarse.dataset, coarse.shape, coarse.voxel_size_nm) == ("c0/s1", (5, 4, 6), (30, 12, 16))
    assert open_volume(channel / "s1").voxel_size_nm == (30, 12, 16)
    assert [level.dataset for level in open_volume(channel).levels] == ["s0", "s1"]


def test_a_level_of_cosem_has_the_resolution_that_it_says_itself(tmp_path, make_array):
    group = tmp_path / "a.n5" / "em"
    _save(group / "s0", make_array(), pixelResolution={"unit": "nm", "dimensions": XYZ})
    _save(group / "s1", make_array()[:, ::2, ::2], pixelResolution={"unit": "nm", "dimensions": [16, 12, 30]})
    _attributes(group, scales=[[1, 1, 1], [2, 2, 1]], pixelResolution={"unit": "nm", "dimensions": XYZ})
    assert open_volume(f"{tmp_path}/a.n5:em/s1").voxel_size_nm == (30, 12, 16)
    assert [level.voxel_size_nm for level in open_volume(f"{tmp_path}/a.n5:em").levels] == [VOXEL_SIZE, (30, 12, 16)]


def test_levels_of_bigdataviewer_take_their_factors_from_the_list_of_their_setup(tmp_path, make_array):
    setup = tmp_path / "a.n5" / "setup0"
    _save(setup / "timepoint0" / "s0", make_array(), downsamplingFactors=[1, 1, 1])
    _save(setup / "timepoint0" / "s1", make_array()[:, ::2, ::2])
    _attributes(setup, downsamplingFactors=[[1, 1, 1], [2, 2, 1]])
    _attributes(setup / "timepoint0", multiScale=True, resolution=XYZ)
    levels = open_volume(f"{tmp_path}/a.n5:setup0/timepoint0").levels
    assert [level.voxel_size_nm for level in levels] == [VOXEL_SIZE, (30, 12, 16)]


def test_a_resolution_in_the_unit_of_bigdataviewers_xml_is_not_taken_for_nm(tmp_path, make_array):
    timepoint = tmp_path / "a.n5" / "setup0" / "timepoint0"
    _save(timepoint / "s0", make_array())
    _attributes(timepoint, multiScale=True, resolution=[0.008, 0.006, 0.03])
    with pytest.raises(InputError, match=r"no voxel size in .*\(its resolution has no unit and cannot be in nm"):
        require_voxel_size(open_volume(f"{tmp_path}/a.n5:setup0/timepoint0"))


def test_levels_of_paintera_lie_in_data_and_take_what_they_lack_from_s0(tmp_path, make_array):
    group = tmp_path / "a.n5" / "labels"
    _attributes(group, painteraData={"type": "label"})
    _save(group / "data" / "s0", make_array(np.uint64), resolution=XYZ, offset=[48, -36, 300])
    _save(group / "data" / "s1", make_array(np.uint64)[::2, ::2, ::2], downsamplingFactors=[2, 2, 2])
    volume = open_volume(f"{tmp_path}/a.n5:labels")
    assert (volume.dataset, volume.offset_nm) == ("labels/data/s0", OFFSET)
    assert [level.voxel_size_nm for level in volume.levels] == [VOXEL_SIZE, (60, 12, 16)]


@pytest.mark.parametrize("around", ["raw/data", "raw/data/s0"])
def test_levels_of_paintera_lie_where_their_group_or_s0_says(tmp_path, make_array, around):
    _save(tmp_path / "a.n5" / "raw" / "data" / "s0", make_array())
    _save(tmp_path / "a.n5" / "raw" / "data" / "s1", make_array()[:, ::2, ::2], downsamplingFactors=[2, 2, 1])
    file = tmp_path / "a.n5" / around / "attributes.json"
    own = json.loads(file.read_text()) if file.exists() else {}
    _attributes(file.parent, **own, multiScale=True, resolution=XYZ, offset=[48, -36, 300])
    for name in ("a.n5:raw", "a.n5:raw/data/s1", "a.n5/raw", "a.n5/raw/data/s1"):
        assert open_volume(f"{tmp_path}/{name}").offset_nm == OFFSET
    _attributes(tmp_path / "a.n5", n5="2.5.1")
    write_volume(f"{tmp_path}/a.n5:raw/data/s2", make_array(), voxel_size_nm=VOXEL_SIZE)
    assert open_volume(f"{tmp_path}/a.n5:raw/data/s2").offset_nm == ORIGIN


def test_label_multisets_are_refused(tmp_path, make_array):
    _save(tmp_path / "a.n5" / "labels", make_array(), isLabelMultiset=True)
    with pytest.raises(InputError, match="expected one number per voxel, got Paintera's label multisets"):
        open_volume(tmp_path / "a.n5")


def test_paintera_and_n5_viewer_find_the_attributes_of_what_is_written(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.n5:volumes/raw", make_array(), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    attributes = json.loads((tmp_path / "a.n5" / "volumes" / "raw" / "attributes.json").read_text())
    assert (attributes["dimensions"], attributes["resolution"], attributes["offset"]) == (
        [11, 7, 5],
        XYZ,
        [48, -36, 300],
    )
    assert attributes["pixelResolution"] == {"dimensions": XYZ, "unit": "nm"}
    assert attributes["compression"]["type"] == "gzip"
    assert "n5" in json.loads((tmp_path / "a.n5" / "attributes.json").read_text())


@pytest.mark.parametrize("dtype", ["bool", "float16"])
def test_types_that_n5_has_not_are_refused(tmp_path, make_array, dtype):
    with pytest.raises(InputError, match=rf"expected a type that N5 can hold \(uint8, .*\), got {dtype}"):
        write_volume(tmp_path / "a.n5", make_array(dtype))


def test_groups_and_datasets_in_the_way_are_refused(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.n5:volumes/raw", make_array())
    with pytest.raises(InputError, match=r"expected a group at 'volumes/raw' in .*, got a dataset"):
        write_volume(f"{tmp_path}/a.n5:volumes/raw/labels", make_array())
    with pytest.raises(InputError, match=r"expected the name of a dataset in .*, got the group 'volumes'"):
        write_volume(f"{tmp_path}/a.n5:volumes", make_array())
    _save(tmp_path / "b.n5", make_array())
    with pytest.raises(InputError, match=r"expected an N5 container at .*, got a dataset"):
        write_volume(f"{tmp_path}/b.n5:raw", make_array())


def test_several_and_absent_datasets_are_listed(tmp_path, make_array):
    _save(tmp_path / "a.n5" / "raw", make_array())
    _save(tmp_path / "a.n5" / "labels", make_array())
    with pytest.raises(InputError, match=r"got 2; name one after a colon, as in a\.n5:labels"):
        open_volume(tmp_path / "a.n5")
    with pytest.raises(InputError, match=r"got 'row' \(it holds labels \(5, 7, 11\), raw \(5, 7, 11\)\)"):
        open_volume(f"{tmp_path}/a.n5:row")
    (tmp_path / "b.n5").mkdir()
    with pytest.raises(InputError, match=r"expected one 3D dataset in .*b\.n5, got none"):
        open_volume(tmp_path / "b.n5")


def test_damaged_attributes_and_blocks_are_one_sentence(tmp_path, make_array, truncate):
    write_volume(tmp_path / "a.n5", make_array(shape=(40, 7, 11)))
    volume = open_volume(tmp_path / "a.n5")
    block = tmp_path / "a.n5" / "volume" / "0" / "0" / "1"
    assert block.is_file()
    truncate(block, 0.6)
    np.testing.assert_array_equal(volume[:32], make_array(shape=(40, 7, 11))[:32])
    with pytest.raises(InputError, match=r"expected a readable N5, got .*a\.n5"):
        volume[32:]
    truncate(tmp_path / "a.n5" / "volume" / "attributes.json", 0.5)
    with pytest.raises(InputError, match=r"expected a JSON object in .*attributes\.json, got something else"):
        open_volume(f"{tmp_path}/a.n5:volume")
