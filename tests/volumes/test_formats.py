from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected an existing volume, got '.*none\.tif'"):
        open_volume(tmp_path / "none.tif")
    with pytest.raises(InputError, match=r"expected an existing volume, got '.*none\.h5:raw'"):
        open_volume(f"{tmp_path}/none.h5:raw")


def test_an_empty_name_is_not_the_working_directory(tmp_path, monkeypatch, make_array):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected a file or a folder to write, got ''"):
        write_volume("", make_array())
    write_volume("sections", make_array())
    monkeypatch.chdir("sections")
    with pytest.raises(InputError, match="expected an existing volume, got ''"):
        open_volume("")


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    (tmp_path / "a.avi").write_bytes(b"")
    with pytest.raises(InputError, match=r"numbered sections, precomputed:// or one of \.tif, .*\.npz, got 'a\.avi'"):
        open_volume(tmp_path / "a.avi")


def test_a_colon_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected the name of a dataset after the colon"):
        open_volume(f"{tmp_path}/a.h5:")


def test_suffixes_are_known_in_capitals_and_colons_elsewhere_are_part_of_the_name(tmp_path, make_array):
    write_volume(tmp_path / "12:30.TIF", make_array())
    assert open_volume(tmp_path / "12:30.TIF").shape == (5, 7, 11)
    write_volume(f"{tmp_path}/12:30.H5:raw", make_array())
    assert open_volume(f"{tmp_path}/12:30.H5:raw").dataset == "raw"


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".nii", ".nii.gz", ".npy", ".npz"])
@pytest.mark.parametrize("content", [b"", b"nothing that any format starts with " * 20])
def test_a_file_of_another_kind_is_unreadable(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=r"expected a readable .*, got .*/a\."):
        open_volume(tmp_path / f"a{suffix}")
