from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume

from .conftest import OFFSET, VOXEL_SIZE

zarr = pytest.importorskip("zarr", reason="zarr-python needs Python 3.11")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint64", "float32", "bool", ">u2"])
def test_arrays_of_zarr_python_are_read(tmp_path, make_array, version, dtype):
    if version == 3 and dtype == ">u2":
        dtype = "uint16"
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    stored = group.create_array("volumes/raw", data=make_array(dtype), chunks=(2, 3, 4))
    stored.attrs["resolution"] = VOXEL_SIZE
    for path in ("a.zarr", "a.zarr:volumes/raw", "a.zarr:volumes", "a.zarr/volumes/raw"):
        volume = open_volume(f"{tmp_path}/{path}")
        assert (volume.shape, volume.voxel_size_nm) == ((5, 7, 11), VOXEL_SIZE)
        assert volume.dtype.isnative
        np.testing.assert_array_equal(volume[1:4:2, ::-1, 5], make_array(dtype)[1:4:2, ::-1, 5])


@pytest.mark.parametrize("version", [2, 3])
def test_a_crop_reads_only_its_chunks(tmp_path, make_array, version):
    stored = zarr.create_array(
        tmp_path / "a.zarr", data=make_array(), chunks=(2, 7, 11), zarr_format=version, compressors="auto"
    )
    volume = open_volume(tmp_path / "a.zarr")
    chunks = sorted(file for file in (tmp_path / "a.zarr").rglob("*") if file.is_file() and "0" in file.name)
    assert len(chunks) >= 1
    damaged = tmp_path / "a.zarr" / ("2.0.0" if version == 2 else "c/2/0/0")
    assert damaged.is_file()
    damaged.write_bytes(b"\x00")
    np.testing.assert_array_equal(volume[:4], stored[:4])
    with pytest.raises(InputError, match=r"expected a readable zarr, got .*a\.zarr"):
        volume[4]


@pytest.mark.parametrize("version", [2, 3])
def test_an_ome_zarr_stands_for_its_full_resolution(tmp_path, make_array, version):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    group.create_array("s0", data=make_array()[None, None])
    group.create_array("s1", data=make_array()[None, None, ::2, ::2, ::2])
    axes = [{"name": "t"}, {"name": "c"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    image = {
        "axes": axes,
        "datasets": [
            {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 0.015, 0.003, 0.004]}]},
            {"path": "s1", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 0.03, 0.006, 0.008]}]},
        ],
        "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 2, 2]}],
    }
    group.attrs.update({"multiscales": [image]} if version == 2 else {"ome": {"multiscales": [image]}})
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.voxel_size_nm == VOXEL_SIZE
    np.testing.assert_array_equal(volume[1:, 2:5, -1], make_array()[1:, 2:5, -1])
    coarse = open_volume(f"{tmp_path}/a.zarr:s1")
    assert (coarse.shape, coarse.voxel_size_nm) == ((3, 4, 6), (60.0, 12.0, 16.0))


def test_an_array_with_its_own_resolution_lies_where_its_image_says(tmp_path, make_array):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("s0", data=make_array()).attrs["resolution"] = VOXEL_SIZE
    transforms = [
        {"type": "scale", "scale": [0.03, 0.006, 0.008]},
        {"type": "translation", "translation": [0.3, -0.036, 0.048]},
    ]
    axes = [{"name": axis, "unit": "micrometer"} for axis in "zyx"]
    datasets = [{"path": "s0", "coordinateTransformations": transforms}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
    volume = open_volume(tmp_path / "a.zarr")
    assert (volume.voxel_size_nm, volume.offset_nm) == (VOXEL_SIZE, OFFSET)
    group["s0"].attrs["offset"] = [1, 2, 3]
    assert open_volume(tmp_path / "a.zarr").offset_nm == (1, 2, 3)


def test_zarr_python_reads_what_is_written(tmp_path, make_array):
    array = make_array(np.uint32, (40, 70, 130))
    write_volume(f"{tmp_path}/a.zarr:volumes/labels", array, voxel_size_nm=VOXEL_SIZE)
    stored = zarr.open_group(tmp_path / "a.zarr", mode="r")["volumes/labels"]
    np.testing.assert_array_equal(stored[...], array)
    assert stored.attrs["voxel_size_nm"] == list(VOXEL_SIZE)
    assert (stored.metadata.zarr_format, stored.chunks) == (3, (32, 64, 64))
    assert stored.metadata.dimension_names == ("z", "y", "x")


def test_an_array_joins_a_consolidated_group(tmp_path, make_array):
    zarr.open_group(tmp_path / "a.zarr", mode="w").create_array("raw", data=make_array())
    with pytest.warns(zarr.errors.ZarrUserWarning, match="Consolidated metadata"):
        zarr.consolidate_metadata(tmp_path / "a.zarr")
    write_volume(f"{tmp_path}/a.zarr:labels", make_array(np.uint32))
    assert sorted(zarr.open_group(tmp_path / "a.zarr", mode="r").array_keys()) == ["labels", "raw"]


def test_a_v2_group_is_not_mixed_with_v3(tmp_path, make_array):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2).create_array("raw", data=make_array())
    with pytest.raises(InputError, match=r"expected a zarr v3 group to write into, got zarr v2 at a\.zarr"):
        write_volume(f"{tmp_path}/a.zarr:labels", make_array())


def test_groups_and_arrays_in_the_way_are_refused(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.zarr:volumes/raw", make_array())
    with pytest.raises(InputError, match=r"expected the name of an array, got the group a\.zarr/volumes"):
        write_volume(f"{tmp_path}/a.zarr:volumes", make_array())
    with pytest.raises(InputError, match=r"expected a group at a\.zarr/volumes/raw, got an array"):
        write_volume(f"{tmp_path}/a.zarr:volumes/raw/labels", make_array())


def test_several_and_absent_arrays_are_listed(tmp_path, make_array):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("raw", data=make_array())
    group.create_array("labels", data=make_array())
    with pytest.raises(InputError, match=r"got 2; name one after a colon, as in a\.zarr:labels"):
        open_volume(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"got 'row' \(it holds labels \(5, 7, 11\), raw \(5, 7, 11\)\)"):
        open_volume(f"{tmp_path}/a.zarr:row")


@pytest.mark.parametrize("shape", [(7, 11), (2, 5, 7, 11)])
def test_arrays_of_other_dimensions_are_refused(tmp_path, shape):
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros(shape))
    with pytest.raises(InputError, match=rf"three axes \(z, y, x\), got {len(shape)}"):
        open_volume(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["cxyz", "cYXZ", "czyx", ["c", "d0", "d1", "d2"]])
@pytest.mark.parametrize("by_funlib", [False, True])
def test_an_array_may_name_its_axes_in_another_order(tmp_path, make_array, version, axes, by_funlib):
    array = make_array()
    order = ["zyx".index(axis.lower()) for axis in axes[1:]] if isinstance(axes, str) else [0, 1, 2]
    if version == 3 and not by_funlib:
        named = {"dimension_names": axes}
    else:
        named = {"attributes": {"axis_names" if by_funlib else "_ARRAY_DIMENSIONS": list(axes)}}
    stored = zarr.create_array(
        tmp_path / "a.zarr", data=array.transpose(order)[None], chunks=(1, 2, 3, 4), zarr_format=version, **named
    )
    stored.attrs["voxel_size"] = [(30, 6, 8)[place] for place in order]
    stored.attrs["offset"] = [(60, 0, 16)[place] for place in order]
    volume = open_volume(tmp_path / "a.zarr")
    assert (volume.shape, volume.voxel_size_nm, volume.offset_nm) == (array.shape, (30, 6, 8), (60, 0, 16))
    volume.keep_chunks_of((1, 7, 11))
    np.testing.assert_array_equal(volume[...], array)
    np.testing.assert_array_equal(volume[1:4, ::2, 3:-1], array[1:4, ::2, 3:-1])


def test_a_pyramid_of_x_y_z_is_read_as_webknossos_writes_it(tmp_path, make_array):
    array = make_array()
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "unit": "nanometer"} for axis in "xyz")]
    datasets = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, *scale]}]}
        for name, scale in (("1", [8, 6, 30]), ("2-2-1", [16, 12, 30]))
    ]
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    color = group.create_group("color", attributes={"multiscales": [{"axes": axes, "datasets": datasets}]})
    color.create_array("1", data=array.T[None])
    color.create_array("2-2-1", data=array[:, ::2, ::2].T[None]).attrs["voxel_size"] = [16, 12, 30]
    volume = open_volume(f"{tmp_path}/a.zarr:color")
    assert [(level.shape, level.voxel_size_nm) for level in volume.levels] == [
        (array.shape, (30, 6, 8)),
        (array[:, ::2, ::2].shape, (30, 12, 16)),
    ]
    np.testing.assert_array_equal(volume[2:], array[2:])
    coarse = open_volume(f"{tmp_path}/a.zarr:color/2-2-1")
    assert coarse.voxel_size_nm == (30, 12, 16)
    np.testing.assert_array_equal(coarse[...], array[:, ::2, ::2])
    # A layer of WEBKNOSSOS has no suffix, so that its levels can be named by their folders only.
    fine = open_volume(tmp_path / "a.zarr" / "color" / "1")
    assert fine.voxel_size_nm == (30, 6, 8)
    np.testing.assert_array_equal(fine[...], array)


def test_damaged_metadata_and_empty_folders_are_refused(tmp_path, make_array, truncate):
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(InputError, match=r"expected one 3D dataset in .*b\.zarr, got none \(it holds no dataset\)"):
        open_volume(tmp_path / "b.zarr")
    write_volume(tmp_path / "a.zarr", make_array())
    truncate(tmp_path / "a.zarr" / "zarr.json", 0.5)
    with pytest.raises(InputError, match=r"expected readable zarr metadata, got .*a\.zarr"):
        open_volume(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps({"node_type": "array"}))
    with pytest.raises(InputError, match=r"expected readable zarr metadata, got .*KeyError"):
        open_volume(tmp_path / "a.zarr")


def _run_and_fork(path, before: str) -> subprocess.CompletedProcess[str]:
    code = f"""
        import multiprocessing, sys
        from sectome.checks import InputError
        from sectome.volumes import open_volume

        def read(volume):
            try:
                print("sum", int(volume[...].sum()), flush=True)
            except InputError as error:
                print(error, flush=True)

        volume = open_volume({str(path)!r})
        {before}
        child = multiprocessing.get_context("fork").Process(target=read, args=(volume,))
        child.start()
        child.join()
        sys.exit(child.exitcode)
    """
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)


def test_a_forked_worker_reads_a_volume_that_its_parent_only_opened(tmp_path, make_array):
    write_volume(tmp_path / "a.zarr", make_array())
    child = _run_and_fork(tmp_path / "a.zarr", "")
    assert (child.returncode, child.stdout) == (0, f"sum {make_array().sum()}\n"), child.stderr


def test_a_forked_worker_whose_parent_read_zarr_gets_a_sentence(tmp_path, make_array):
    write_volume(tmp_path / "a.zarr", make_array())
    child = _run_and_fork(tmp_path / "a.zarr", "volume[0]")
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith("expected a process that was not forked after reading or writing zarr")
