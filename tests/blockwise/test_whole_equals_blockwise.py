"""Blocks give what the whole volume gives: the same ids, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from blockwise.conftest import do_all
from sectome.affinity_file import StoredAffinities, new_affinities, write_affinities
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import affinities_to_labels
from sectome.volumes import open_volume

SIZES = ("block_voxels", "group_blocks")


def whole(affinities, **options):
    return affinities_to_labels(
        StoredAffinities(affinities.path).read_all(),
        affinities.offsets,
        voxel_size_nm=affinities.voxel_size_nm,
        **options,
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group_blocks": (9, 9, 9)},
        {"group_blocks": (1, 1, 1)},
        {"threshold": 0.6, "min_size_voxels": 500},
        {"small_voxels": 2000, "small_threshold": 0.05},
        {"large_voxels": 700},
        {"long_range": "touching", "threshold": 0.5},
        {"long_range": "all", "threshold": 0.5},
        {"per_section": True, "block_voxels": (32, 128, 64)},
        {"foreground_threshold": 0.2, "boundary_threshold": 0.7},
    ],
    ids=str,
)
def test_the_segments_of_blocks_are_those_of_the_whole_volume(plan_of, affinities, options):
    plan = plan_of(**options)
    do_all(plan, stop_after="relabel")
    expected = whole(affinities, **{name: value for name, value in options.items() if name not in SIZES})
    got = open_volume(plan.partial_output / "0")
    assert expected.max() > 200
    np.testing.assert_array_equal(got[...], expected)
    assert got.voxel_size_nm == affinities.voxel_size_nm


@pytest.mark.parametrize(
    ("group", "levels"), [((1, 2, 2), [8, 2]), ((2, 2, 1), [6, 3]), ((1, 1, 2), [12, 6]), ((1, 1, 1), [18])]
)
@pytest.mark.parametrize("options", [{}, {"large_voxels": 700}, {"long_range": "touching", "threshold": 0.5}], ids=str)
def test_groups_of_groups_give_the_same(plan_of, affinities, monkeypatch, options, group, levels):
    monkeypatch.setattr("sectome.blockwise.neuron_plan.JOINED_AT_ONCE", 1)
    plan = plan_of(group_blocks=group, **options)
    assert [len(plan.groups(level)) for level in range(1, plan.group_levels + 1)] == levels
    do_all(plan, stop_after="relabel")
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], whole(affinities, **options))


@pytest.mark.parametrize("long_range", ["touching", "all"])
def test_a_last_block_may_be_narrower_than_an_offset(plan_of, affinities, tmp_path, long_range):
    offsets = (*NEAREST, (0, 0, 9))
    part = [slice(0, 32), slice(0, 64), slice(0, 70)]
    values = affinities.read(part, [affinities.offsets.index(step) for step in (*NEAREST, (0, 0, -9))]) / 255
    values[3] = np.roll(values[3], -9, axis=2)
    write_affinities(tmp_path / "forward.zarr", values, offsets, affinities.voxel_size_nm)
    forward = StoredAffinities(tmp_path / "forward.zarr")
    plan = plan_of(source=forward, threshold=0.5, long_range=long_range)
    do_all(plan, stop_after="relabel")
    expected = whole(forward, threshold=0.5, long_range=long_range)
    assert expected.max() > 20
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], expected)


@pytest.mark.parametrize("dx", [-100, 100])
def test_an_offset_may_be_longer_than_a_block(plan_of, tmp_path, dx):
    rng = np.random.default_rng(2)
    noise = ndimage.gaussian_filter(rng.normal(size=(3, 8, 24, 150)), (0, 1, 1, 1))
    values = np.append(1 / (1 + np.exp(-2 - 3 * noise / noise.std())), rng.random((1, 8, 24, 150)), axis=0)
    write_affinities(tmp_path / "far.zarr", values, (*NEAREST, (0, 0, dx)), (16, 8, 8))
    far = StoredAffinities(tmp_path / "far.zarr")
    options = {"threshold": 0.5, "long_range": "all"}
    plan = plan_of(source=far, context_voxels=(8, 24, 40), group_blocks=(1, 1, 1), **options)
    do_all(plan, stop_after="relabel")
    expected = whole(far, **options)
    assert expected.max() > 5
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], expected)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_affinities_may_be_floats(plan_of, affinities, tmp_path, dtype):
    values = affinities.read([slice(0, 32), slice(0, 64), slice(0, 100)]).astype(np.float32) / 255
    with new_affinities(
        tmp_path / "a.zarr", values.shape, affinities.offsets, affinities.voxel_size_nm, box=values.shape, dtype=dtype
    ) as store:
        store.write(values.astype(dtype)).result()
    floats = StoredAffinities(tmp_path / "a.zarr")
    plan = plan_of(source=floats, foreground_threshold=0.2)
    do_all(plan, stop_after="relabel")
    expected = whole(floats, foreground_threshold=0.2)
    assert expected.max() > 20
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], expected)
