"""Sections of compressed stacks and of folders: decoded once while memory holds them, and the same voxels as ever."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tifffile

from sectome import cores
from sectome.checks import InputError
from sectome.volumes import decoded_sections, open_volume, sections, write_volume

SHAPE = (12, 256, 1024)
"""A section is a quarter of a MiB."""


@pytest.fixture(autouse=True)
def cache_of_one_mib(monkeypatch):
    """Four sections, in a cache of the test's own."""
    monkeypatch.setenv("SECTOME_CACHE_MB", "1")
    monkeypatch.setattr(decoded_sections, "_shared", None)


@pytest.fixture(params=["a.tif", "sections"])
def path(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix:
        tifffile.imwrite(path, voxels(), compression="zlib", photometric="minisblack")
    else:
        write_volume(path, voxels())
    return path


def voxels():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


def counted(volume):
    """Count the sections that the open volume decodes from here on, in the order it does."""
    decoded, sections = [], volume._open()._sections
    decode = sections._decode
    sections._decode = lambda number: decoded.append(number) or decode(number)
    return decoded


def test_a_section_is_decoded_once_while_it_is_among_the_latest(path):
    volume = open_volume(path)
    decoded = counted(volume)
    crops = [(slice(0, 3), slice(0, 9), slice(5, 9)), (slice(1, 4), slice(30, 99, 3), 7), (3, slice(4), slice(4))]
    for crop in crops:
        np.testing.assert_array_equal(volume[crop], voxels()[crop])
    assert decoded == [0, 1, 2, 3]
    # 4 takes the place of 0, which was asked for least lately.
    assert volume[4, 0, 0] == voxels()[4, 0, 0]
    assert volume[3, 0, 0] == voxels()[3, 0, 0]
    assert decoded == [0, 1, 2, 3, 4]
    assert volume[0, 0, 0] == voxels()[0, 0, 0]
    assert decoded == [0, 1, 2, 3, 4, 0]


def test_threads_share_out_large_sections_that_are_not_in_memory(path, monkeypatch):
    monkeypatch.setattr(decoded_sections, "threads_for", lambda count, nbytes: min(count, 3))
    volume = open_volume(path)
    decoded, threads, decode = counted(volume), set(), volume._open()._sections._decode

    def watched(number):
        threads.add(threading.get_ident())
        return decode(number)

    volume._open()._sections._decode = watched
    crops = [(slice(0, 3), slice(0, 9), slice(5, 9)), (slice(0, 4), slice(30, 99, 3), 7), slice(None), slice(9, 2, -2)]
    for crop in crops:
        np.testing.assert_array_equal(volume[crop], voxels()[crop])
    assert sorted(decoded[:4]) == [0, 1, 2, 3]
    assert len(threads) > 1


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_threads_share_out_sections_to_write(tmp_path, monkeypatch, threads, dtype):
    monkeypatch.setattr(sections, "threads_for", lambda count, nbytes: threads)
    write_volume(tmp_path / "a", voxels().astype(dtype))
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "a")), voxels())


def test_threads_are_few_where_sections_are_large_or_few_or_others_work_beside(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 16)
    assert cores.threads_for(64, 100 * 2**20) == 10
    assert cores.threads_for(64, 2**32) == 1
    assert cores.threads_for(3, 4 * 2**20) == 3
    assert cores.threads_for(48, 250 * 250) == 1
    assert cores.threads_for(0, 1) == 1
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    assert cores.threads_for(64, 2**20) == 1


def test_an_error_of_a_thread_is_the_reader_s_and_leaves_none_running(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded_sections, "threads_for", lambda count, nbytes: 3)
    write_volume(tmp_path / "a", voxels())
    volume = open_volume(tmp_path / "a")
    broken = tmp_path / "a" / "section0004.png"
    broken.write_bytes(broken.read_bytes()[:40])
    before = threading.active_count()
    with pytest.raises(InputError, match=r"expected a readable image, got .*section0004\.png"):
        volume[:]
    assert threading.active_count() == before


def test_what_was_read_may_be_changed(path):
    volume = open_volume(path)
    for _ in range(2):
        crop = volume[2:4, 5:9, 5:9]
        np.testing.assert_array_equal(crop, voxels()[2:4, 5:9, 5:9])
        crop[:] = 0


def test_volumes_share_the_cache_and_keep_their_own_sections(tmp_path):
    others = 255 - voxels()
    write_volume(tmp_path / "one", voxels())
    write_volume(tmp_path / "other", others)
    one, other = (open_volume(tmp_path / name) for name in ("one", "other"))
    for number in range(4):
        assert one[number, 1, 1] == voxels()[number, 1, 1]
        assert other[number, 1, 1] == others[number, 1, 1]
    assert decoded_sections._shared._bytes == 2**20


def test_whole_sections_of_a_large_volume_are_not_kept(path):
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume), voxels())
    assert decoded_sections._shared is None


def test_whole_sections_of_a_small_volume_are(tmp_path):
    write_volume(tmp_path / "few", voxels()[:4])
    volume = open_volume(tmp_path / "few")
    decoded = counted(volume)
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(volume), voxels()[:4])
    assert decoded == [0, 1, 2, 3]


def test_a_volume_that_is_read_in_order_keeps_the_sections_of_a_box(path):
    volume = open_volume(path)
    volume.keep_chunks_of((2, 64, 64))
    decoded = counted(volume)
    for z in (0, 1):
        for y in (0, 64):
            np.testing.assert_array_equal(volume[z : z + 2, y : y + 64, :64], voxels()[z : z + 2, y : y + 64, :64])
    assert decoded == [0, 1, 2]
    assert decoded_sections._shared is None


def test_whole_sections_are_kept_where_windows_will_ask_for_them_again(path):
    volume = open_volume(path)
    volume.keep_chunks_of((4, *SHAPE[1:]))
    decoded = counted(volume)
    for z in range(0, 9, 2):
        np.testing.assert_array_equal(volume[z : z + 4], voxels()[z : z + 4])
    assert decoded == list(range(SHAPE[0]))
    # A window that the cache cannot hold would only push out what it needs.
    volume = open_volume(path)
    volume.keep_chunks_of((5, *SHAPE[1:]))
    volume[0:5]
    assert decoded_sections._shared is None


def test_without_a_cache_nothing_is_kept(path, monkeypatch):
    monkeypatch.setenv("SECTOME_CACHE_MB", "0")
    volume = open_volume(path)
    decoded = counted(volume)
    for _ in range(2):
        assert volume[1, 2, 3] == voxels()[1, 2, 3]
    assert decoded == [1, 1]


def test_a_process_that_was_forked_has_a_cache_of_its_own(path, monkeypatch):
    volume = open_volume(path)
    assert volume[1, 2, 3] == voxels()[1, 2, 3]
    inherited = decoded_sections._shared
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert volume[1, 2, 3] == voxels()[1, 2, 3]
    # The other's lock could have been held by a thread at the moment of the fork.
    assert decoded_sections._shared is not inherited


def test_a_cache_size_that_is_no_number_is_refused(path, monkeypatch):
    monkeypatch.setenv("SECTOME_CACHE_MB", "a lot")
    with pytest.raises(InputError, match="SECTOME_CACHE_MB must be a whole number of MiB, got 'a lot'"):
        open_volume(path)[0, 0, 0]


def test_crops_from_more_sections_than_are_kept_are_said_to_be_slow(path, recwarn):
    volume = open_volume(path)
    volume.warn_of_decoding(4)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="section by section: crops read 2 MiB of sections and 1 MiB are cached"):
        volume.warn_of_decoding(8)


def test_a_mapped_stack_is_never_said_to_be_slow(tmp_path, recwarn):
    write_volume(tmp_path / "a.tif", voxels())
    open_volume(tmp_path / "a.tif").warn_of_decoding(SHAPE[0])
    assert not recwarn.list
