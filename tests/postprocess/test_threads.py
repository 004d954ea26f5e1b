"""Slabs and threads change how long it takes and nothing else; memory-mapped affinities are read where they lie."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import (
    affinities_to_history,
    affinities_to_labels,
    fragments_distance,
    fragments_watershed,
    region_graph,
)
from sectome.postprocess import slabs as slabs_module
from sectome.postprocess.check_affinities import check_affinities
from sectome.postprocess.distance_transform import distance_to_boundary_nm
from sectome.postprocess.slabs import in_threads, slabs, thread_count
from sectome.postprocess.union_find import new_sets, sets_to_labels, union

SIZE_NM = (30.0, 6.0, 8.0)
STORED = pytest.mark.parametrize("dtype", [np.uint8, np.float32])
ROADS = [
    {"fragments": "watershed"},
    {"fragments": "watershed", "per_section": True, "high": "95%"},
    {"fragments": "distance", "foreground_threshold": 0.1},
    {"fragments": "distance", "per_section": True, "small_voxels": 30},
    {"fragments": "watershed", "method": "quantile_50", "long_range": "all"},
    {"fragments": "distance", "method": "max_5", "long_range": "touching", "large_voxels": 500},
    {"method": "mutex"},
]


@pytest.fixture
def in_slabs(monkeypatch):
    """Call in one slab by one thread, then with one section a slab by one thread and by several."""

    def results(function, *arguments, **options):
        monkeypatch.setattr(slabs_module, "VOXELS_PER_SLAB", 1 << 20)
        yield function(*arguments, **options, threads=1)
        monkeypatch.setattr(slabs_module, "VOXELS_PER_SLAB", 1)
        for threads in (1, 4, None):
            yield function(*arguments, **options, threads=threads)

    return results


def stored(affinities, dtype):
    return (affinities * 255).round().astype(np.uint8) if dtype == np.uint8 else affinities


def assert_all_equal(results):
    first, *others = results
    assert len(others) == 3
    for other in others:
        np.testing.assert_array_equal(first, other)
        assert first.dtype == other.dtype
    return first


def test_slabs_cover_every_section_once_and_depend_on_the_shape_alone(monkeypatch):
    monkeypatch.setattr(slabs_module, "VOXELS_PER_SLAB", 24)
    assert slabs((7, 3, 4)) == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert slabs((2, 100, 100)) == [(0, 1), (1, 2)]
    assert slabs((3, 1, 1)) == [(0, 3)]


def test_results_come_in_the_order_of_the_arguments_from_several_threads():
    meeting = threading.Barrier(3, timeout=10)

    def work(number):
        meeting.wait()
        return number, threading.get_ident()

    results = in_threads(work, [(number,) for number in range(3)], 3, "meeting")
    assert [number for number, _ in results] == [0, 1, 2]
    assert len({thread for _, thread in results}) == 3


def test_an_error_in_a_thread_is_raised():
    def work(number):
        raise ValueError(f"slab {number}")

    with pytest.raises(ValueError, match="slab 0"):
        in_threads(work, [(0,), (1,)], 2, "failing")


@STORED
@pytest.mark.parametrize("per_section", [False, True])
def test_the_watershed_does_not_depend_on_slabs(in_slabs, bodies, predicted, dtype, per_section):
    affinities = stored(predicted(bodies), dtype)
    fragments = assert_all_equal(in_slabs(fragments_watershed, affinities, NEAREST, high=0.95, per_section=per_section))
    crossing = np.intersect1d(fragments[5], fragments[6]).size
    assert crossing == 0 if per_section else crossing > 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([None, 3]), sections=st.integers(1, 3))
def test_noise_with_ties_does_not_depend_on_slabs(random_affinities, seed, levels, sections):
    affinities = random_affinities(seed, levels=levels)
    whole = fragments_watershed(affinities, NEAREST, low=0.3, high=0.9, threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs_module, "VOXELS_PER_SLAB", sections * 7 * 9)
        in_parts = fragments_watershed(affinities, NEAREST, low=0.3, high=0.9, threads=3)
    np.testing.assert_array_equal(whole, in_parts)


def test_numbers_do_not_depend_on_slabs(in_slabs):
    rng = np.random.default_rng(0)
    parent, joined = new_sets(120), rng.random(120) < 0.5
    for one, other in rng.integers(0, 120, (60, 2)):
        union(parent, one, other)
        joined[[one, other]] = True
    labels = assert_all_equal(in_slabs(sets_to_labels, parent, joined, (6, 4, 5)))
    np.testing.assert_array_equal(labels.ravel() > 0, joined)
    ids, first = np.unique(labels[labels > 0], return_index=True)
    assert ids.tolist() == list(range(1, int(labels.max()) + 1))
    assert np.all(np.diff(first) > 0)


@STORED
@pytest.mark.parametrize("long_range", ["no", "touching", "all"])
def test_the_region_graph_does_not_depend_on_slabs(in_slabs, bodies, predicted, dtype, long_range):
    affinities = stored(predicted(bodies, offsets=ISOTROPIC), dtype)
    fragments = fragments_watershed(affinities, ISOTROPIC, high=0.99)
    first, *others = in_slabs(region_graph, affinities, ISOTROPIC, fragments, long_range=long_range, keep_levels=True)
    assert len(first) > 100
    assert (first.touching is None) == (long_range != "all")
    for other in others:
        assert (first.max_fragment, first.unit) == (other.max_fragment, other.unit)
        for name in ("edges", "sums", "counts", "touching", "levels"):
            np.testing.assert_array_equal(getattr(first, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("per_section", [False, True])
def test_distances_do_not_depend_on_slabs(in_slabs, per_section):
    inside = np.random.default_rng(0).random((7, 11, 13)) < 0.97
    assert_all_equal(in_slabs(distance_to_boundary_nm, inside, SIZE_NM, per_section=per_section))


@pytest.mark.parametrize("options", ROADS, ids=lambda options: "-".join(map(str, options.values())))
def test_segments_do_not_depend_on_slabs(in_slabs, bodies, predicted, options):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    segments = assert_all_equal(
        in_slabs(affinities_to_labels, affinities, ISOTROPIC, voxel_size_nm=SIZE_NM, threshold=0.4, **options)
    )
    assert 1 < segments.max() < 1000


@STORED
@pytest.mark.parametrize("options", ROADS, ids=lambda options: "-".join(map(str, options.values())))
def test_memory_mapped_affinities_give_the_same_and_are_not_copied(tmp_path, bodies, predicted, dtype, options):
    affinities = stored(predicted(bodies, offsets=ISOTROPIC), dtype)
    np.save(tmp_path / "affinities.npy", affinities)
    mapped = np.load(tmp_path / "affinities.npy", mmap_mode="r")
    checked, _ = check_affinities(mapped, ISOTROPIC)
    assert np.shares_memory(checked, mapped)
    options = {"voxel_size_nm": SIZE_NM, "threshold": 0.4, **options}
    np.testing.assert_array_equal(
        affinities_to_labels(mapped, ISOTROPIC, **options), affinities_to_labels(affinities, ISOTROPIC, **options)
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda affinities: fragments_watershed(affinities, NEAREST, threads=0),
        lambda affinities: fragments_distance(affinities, NEAREST, threads=0),
        lambda affinities: region_graph(affinities, NEAREST, np.ones((2, 3, 4), int), threads=0),
        lambda affinities: affinities_to_labels(affinities, NEAREST, threads=0),
        lambda affinities: affinities_to_history(affinities, NEAREST, threads=0),
        lambda affinities: affinities_to_labels(np.repeat(affinities, 3, 0), ISOTROPIC, method="mutex", threads=0),
        lambda _: thread_count(-1),
    ],
)
def test_no_threads_are_refused(call):
    with pytest.raises(InputError, match=r"threads must be a whole number of at least 1, got (0|-1)"):
        call(np.ones((3, 2, 3, 4), np.float32))


def test_torch_keeps_its_threads_when_those_of_slabs_are_counted():
    imports = "from torch import get_num_threads; from sectome.postprocess.slabs import thread_count"
    script = f"{imports}; print(get_num_threads(), thread_count(None), get_num_threads())"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "3", "1"]
