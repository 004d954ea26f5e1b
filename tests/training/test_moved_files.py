"""Files that were moved are the same files; others by the same name are not."""

from __future__ import annotations

import pytest

from sectome.training.moved_files import follow_moved_files


@pytest.fixture
def places(tmp_path):
    """Two folders, of which the first has a file and the second has one of the same name."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.h5").write_text(name)
    return tmp_path / "old/a.h5", tmp_path / "new/a.h5"


def settings(path, **more):
    return {"train_data": [{"image": f"{path}:volumes/raw", "weight": 2}], "pretrained": str(path), **more}


def test_files_are_followed_to_where_they_lie_now(places):
    old, new = places
    old.unlink()
    assert follow_moved_files(settings(old, lr=1), settings(new, lr=2)) == settings(new, lr=1)


def test_one_file_has_many_names(places, monkeypatch):
    old, _ = places
    monkeypatch.chdir(old.parent)
    assert follow_moved_files(settings("a.h5"), settings(old)) == settings(old)
    (old.parent / "link").symlink_to(old.parent, target_is_directory=True)
    assert follow_moved_files(settings(old), settings(old.parent / "link/a.h5")) == settings(old.parent / "link/a.h5")


def test_another_file_of_that_name_is_a_difference(places):
    old, new = places
    assert follow_moved_files(settings(old), settings(new)) == settings(old)


@pytest.mark.parametrize("now", ["b.h5:volumes/raw", "a.h5:volumes/other", "a.h5"])
def test_other_names_are_a_difference(tmp_path, now):
    before = {"image": str(tmp_path / "a.h5:volumes/raw"), "target": "raw"}
    assert follow_moved_files(before, {"image": str(tmp_path / "x" / now), "target": "normalised"}) == before


def test_addresses_and_lists_of_another_length_stay_as_they_are():
    before = {"train_data": [{"image": "s3://lab/em/cube.zarr"}]}
    assert follow_moved_files(before, {"train_data": []}) == before
    assert follow_moved_files(before, {"train_data": [{"image": "s3://lab/em/other.zarr"}]}) == before
