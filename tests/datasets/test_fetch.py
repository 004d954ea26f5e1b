"""Fetching each set from a server on this machine, and what can go wrong with what was downloaded."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.datasets import ALL_SETS, fetch
from sectome.datasets.unpack import unpack
from sectome.tissue import open_tissue
from sectome.volumes import open_volume

from .small_sets import grey, make_small, objects, rescale

NAMES = sorted(ALL_SETS)


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_downloaded_unpacked_checked_and_recorded(server, tmp_path, name):
    public = make_small(name, server.folder, server.address)
    folder = fetch(public, tmp_path / "data")
    assert folder == tmp_path / "data" / name
    record = json.loads((folder / "dataset.json").read_text())
    assert record["name"] == name
    assert record["terms"] == public.terms
    assert record["voxel_size_nm"] == list(public.voxel_size_nm)
    assert {archive: known["checksum"] for archive, known in record["archives"].items()} == {
        archive.name: archive.checksum for archive in public.archives
    }
    for volume in public.volumes:
        found = open_volume(folder / volume.path)
        assert found.shape == volume.shape
        assert record["volumes"][volume.path]["shape"] == list(volume.shape)
        if volume.ids:
            assert record["volumes"][volume.path]["ids"][0] == 1
    files = {volume.file for volume in public.volumes} | {"dataset.json"}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == files
    assert [path.name for path in (tmp_path / "data").iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "image", "labels"),
    [
        ("snemi3d", "image/train-input.tif", "seg/train-labels.tif"),
        ("mitoem_r", "labelled_image.tif", "labels.h5"),
        ("lucchi", "test_image.tif", "test_labels.h5"),
        ("fib25", "grayscale_maps.h5:raw", "neurons.h5"),
    ],
)
def test_sections_keep_their_order_and_image_and_labels_fit(tmp_path, name, image, labels):
    public = make_small(name, tmp_path / "mine")
    folder = fetch(public, tmp_path, tmp_path / "mine")
    sections = public.volumes[0].shape[0]
    expected = objects(sections)
    found = np.asarray(open_volume(folder / labels))
    np.testing.assert_array_equal(found > 0, expected > 0)
    assert len(np.unique(found)) == 3
    seed, drawn = (1, 12) if name == "lucchi" else (0, 8 if name == "mitoem_r" else 12)
    np.testing.assert_array_equal(open_volume(folder / image), grey(drawn, seed)[:sections])
    (tissue,) = open_tissue([{"image": folder / image, "label": folder / labels}], public.voxel_size_nm, labelled=True)
    assert tissue.voxel_size_nm == public.voxel_size_nm


def test_ids_that_mean_unlabelled_are_counted_and_no_ids(tmp_path):
    public = make_small("cremi", tmp_path / "mine")
    folder = fetch(public, tmp_path, tmp_path / "mine")
    found = json.loads((folder / "dataset.json").read_text())["volumes"]
    labels = found["sample_A_20160501.hdf:volumes/labels/neuron_ids"]
    assert labels["ids"] == [1, 7]
    assert labels["unlabelled_voxels"] == 20 * 24


def test_supervoxels_that_no_row_names_become_background_with_a_warning(tmp_path):
    make_small("fib25", tmp_path / "mine")
    with h5py.File(tmp_path / "mine/groundtruth.h5", "a") as file:
        del file["transforms"]
        file["transforms"] = np.array([(1, 1), (7, 7), (9, 7)], np.uint64)
    public = rescale(ALL_SETS["fib25"], tmp_path / "mine")
    with pytest.warns(UserWarning, match=r"2 supervoxels of groundtruth.h5 belong to no neuron"):
        folder = fetch(public, tmp_path, tmp_path / "mine")
    assert set(np.unique(open_volume(folder / "neurons.h5"))) == {0, 1, 7}


def test_a_second_call_does_nothing_and_says_so(server, tmp_path, capsys):
    public = make_small("snemi3d", server.folder, server.address)
    folder = fetch(public, tmp_path)
    before = (folder / "dataset.json").read_bytes()
    asked = len(server.requests)
    fetch(public, tmp_path)
    assert "nothing to do" in capsys.readouterr().out
    assert len(server.requests) == asked
    assert (folder / "dataset.json").read_bytes() == before


def test_what_a_killed_call_left_is_removed_by_the_next(server, tmp_path):
    public = make_small("snemi3d", server.folder, server.address)
    data = tmp_path / "data"
    (data / ".snemi3d.123.partial/.unpacked").mkdir(parents=True)
    fetch(public, data)
    assert [path.name for path in data.iterdir()] == ["snemi3d"]
    (data / "snemi3d.download").mkdir()
    (data / "snemi3d.download/snemi.zip").write_bytes(b"all of it")
    fetch(public, data)
    assert [path.name for path in data.iterdir()] == ["snemi3d"]


def test_a_second_call_beside_the_first_is_refused_and_does_the_first_no_harm(server, tmp_path, monkeypatch):
    public = make_small("snemi3d", server.folder, server.address)
    data, refused = tmp_path / "data", []

    def meanwhile(*arguments, **options):
        with pytest.raises(InputError, match=r"expected no other process that fetches snemi3d to .*snemi3d, got one"):
            fetch(public, data)
        refused.append(1)
        unpack(*arguments, **options)

    monkeypatch.setattr(sys.modules[fetch.__module__], "unpack", meanwhile)
    fetch(public, data)
    assert refused == [1]
    assert [path.name for path in data.iterdir()] == ["snemi3d"]


def test_a_fetched_set_that_lost_a_file_is_not_taken_for_whole(tmp_path):
    public = make_small("snemi3d", tmp_path / "mine")
    folder = fetch(public, tmp_path, tmp_path / "mine")
    (folder / "seg/train-labels.tif").unlink()
    with pytest.raises(InputError, match=r"expected seg/train-labels.tif in .*: remove the folder and fetch again"):
        fetch(public, tmp_path, tmp_path / "mine")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    public = make_small("snemi3d", tmp_path / "mine")
    (tmp_path / "snemi3d").mkdir()
    (tmp_path / "snemi3d/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"expected nothing or a fetched set at .*snemi3d, got"):
        fetch(public, tmp_path, tmp_path / "mine")
    assert (tmp_path / "snemi3d/thesis.txt").read_text() == "mine"


def test_archives_of_the_user_are_used_and_left(tmp_path):
    public = make_small("cremi", tmp_path / "mine")
    fetch(public, tmp_path / "data", tmp_path / "mine")
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [archive.name for archive in public.archives]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cremi"]


def test_an_archive_that_the_user_lacks_is_named_with_its_address(tmp_path):
    public = make_small("cremi", tmp_path / "mine")
    (tmp_path / "mine/sample_B_20160501.hdf").unlink()
    with pytest.raises(
        InputError, match=r"expected sample_B_20160501.hdf in .*mine, got none; download it from http://127"
    ):
        fetch(public, tmp_path / "data", tmp_path / "mine")


def test_an_archive_of_the_user_with_another_checksum_is_refused_and_kept(tmp_path):
    public = make_small("snemi3d", tmp_path / "mine")
    (tmp_path / "mine/snemi.zip").write_bytes(b"something else")
    with pytest.raises(
        InputError, match=r"expected the checksum md5:[0-9a-f]{32} of .*snemi.zip, got md5:[0-9a-f]{32}"
    ):
        fetch(public, tmp_path / "data", tmp_path / "mine")
    assert (tmp_path / "mine/snemi.zip").read_bytes() == b"something else"
    assert not (tmp_path / "data").exists()


def test_a_disk_without_room_is_refused_before_the_first_request(server, tmp_path, monkeypatch):
    public = make_small("snemi3d", server.folder, server.address)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(InputError, match=r"expected about 0.00 GB of free disk at .*data, got 0.00 GB"):
        fetch(public, tmp_path / "data")
    assert server.requests == []
    assert not (tmp_path / "data").exists()


def test_a_disk_that_fills_up_while_unpacking_is_one_sentence_and_keeps_the_download(server, tmp_path, monkeypatch):
    public = make_small("lucchi", server.folder, server.address)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", full)
        with pytest.raises(InputError, match=r"expected free space on the disk of .*what was downloaded is kept"):
            fetch(public, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["lucchi.download"]
    asked = len(server.requests)
    fetch(public, tmp_path / "data")
    assert len(server.requests) == asked


@pytest.mark.parametrize("member", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_member_that_would_leave_the_folder_is_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("fine.txt", "fine")
        file.writestr(member, "evil")
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match="expected members below one folder, got "):
        unpack(tmp_path / "a.zip", tmp_path / "inside")
    assert not list(tmp_path.rglob("*evil*"))
    assert not list((tmp_path / "inside").iterdir())


@pytest.mark.parametrize("damage", ["no zip", "broken member"])
def test_a_corrupt_archive_is_one_sentence_and_leaves_nothing(tmp_path, damage):
    public = make_small("snemi3d", tmp_path / "mine")
    archive = tmp_path / "mine/snemi.zip"
    content = bytearray(archive.read_bytes())
    if damage == "no zip":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 255
    archive.write_bytes(content)
    public = rescale(ALL_SETS["snemi3d"], tmp_path / "mine")
    with pytest.raises(InputError, match=r"expected a readable archive, got .*snemi.zip: "):
        fetch(public, tmp_path / "data", tmp_path / "mine")
    assert list((tmp_path / "data").iterdir()) == []


def _change_last(public, **changes):
    return replace(public, volumes=(*public.volumes[:-1], replace(public.volumes[-1], **changes)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "snemi3d",
            lambda s: _change_last(s, shape=(13, 20, 24)),
            r"expected shape \(13, 20, 24\) of image/te",
        ),
        ("cremi", lambda s: replace(s, voxel_size_nm=(40.0, 4.0, 8.0)), r"expected a voxel size of \(40.0, 4.0, 8.0\)"),
        (
            "fib25",
            lambda s: _change_last(s, ids=(1, 5)),
            r"expected ids within 1 and 5 in .*, got 1 to 7",
        ),
        (
            "snemi3d",
            lambda s: _change_last(s, path="image/none.tif"),
            r"expected image/none.tif in the archives",
        ),
    ],
)
def test_a_set_that_is_not_as_expected_is_refused_and_leaves_nothing(tmp_path, name, change, message):
    public = change(make_small(name, tmp_path / "mine"))
    with pytest.raises(InputError, match=message):
        fetch(public, tmp_path / "data", tmp_path / "mine")
    assert list((tmp_path / "data").iterdir()) == []


def test_labels_without_objects_are_refused(tmp_path):
    make_small("fib25", tmp_path / "mine")
    with h5py.File(tmp_path / "mine/groundtruth.h5", "a") as file:
        file["transforms"][:, 1] = 0
    public = rescale(ALL_SETS["fib25"], tmp_path / "mine")
    with pytest.raises(InputError, match=r"expected ids within 1 and \d+ in neurons.h5 of fib25, got none"):
        fetch(public, tmp_path / "data", tmp_path / "mine")


def test_validation_sections_that_overlap_training_are_refused(tmp_path):
    make_small("mitoem_r", tmp_path / "mine")
    archive = tmp_path / "mine/EM30-R-mito-train-val-v2.zip"
    with zipfile.ZipFile(archive) as file:
        section = file.read("mito-val-v2/seg0003.tif")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("mito-val-v2/seg0000.tif", section)
    public = rescale(ALL_SETS["mitoem_r"], tmp_path / "mine")
    with pytest.raises(InputError, match=r"expected each section once in .*, got seg0000.tif twice"):
        fetch(public, tmp_path / "data", tmp_path / "mine")


def test_volumes_that_are_made_may_be_datasets_of_one_container(tmp_path):
    public = make_small("fib25", tmp_path / "mine")
    image, labels = public.volumes
    names = ("grayscale_maps.h5:neurons", "made.h5:neurons", "made.h5:labels/again")
    public = replace(public, volumes=(image, *(replace(labels, path=name) for name in names)))
    folder = fetch(public, tmp_path, tmp_path / "mine")
    for name in names:
        np.testing.assert_array_equal(open_volume(folder / name)[...] > 0, objects() > 0)
    np.testing.assert_array_equal(open_volume(folder / image.path), grey())


def test_a_mask_with_more_than_two_values_is_refused(tmp_path):
    make_small("lucchi", tmp_path / "mine")
    archive = tmp_path / "mine/lucchi_pp.zip"
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["Lucchi++/Train_Out/3.png"] = members["Lucchi++/Train_In/mask0003.png"]
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    public = rescale(ALL_SETS["lucchi"], tmp_path / "mine")
    with pytest.raises(InputError, match="expected a mask of 0 and one other value in Lucchi"):
        fetch(public, tmp_path / "data", tmp_path / "mine")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    public = make_small("snemi3d", tmp_path / "mine")
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InputError, match=r"expected a writable folder, got .*data: "):
        fetch(public, tmp_path / "data", tmp_path / "mine")


def test_containers_take_no_disk_twice(server, tmp_path, monkeypatch):
    public = make_small("cremi", server.folder, server.address)
    linked = []
    link = os.link
    monkeypatch.setattr(os, "link", lambda *paths: linked.append(paths) or link(*paths))
    fetch(public, tmp_path / "data")
    assert len(linked) == 3


def test_containers_are_copied_where_they_cannot_be_linked(server, tmp_path, monkeypatch):
    public = make_small("cremi", server.folder, server.address)

    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder = fetch(public, tmp_path / "data")
    assert open_volume(folder / "sample_C_20160501.hdf:volumes/raw").shape == (12, 20, 24)


def test_a_set_shares_no_file_with_the_archives_of_the_user(tmp_path):
    public = make_small("cremi", tmp_path / "mine")
    folder = fetch(public, tmp_path / "data", tmp_path / "mine")
    for archive in public.archives:
        assert not (folder / archive.name).samefile(tmp_path / "mine" / archive.name)
