from __future__ import annotations

import os

import numpy as np
import pytest

from sectome.affinity_file import StoredAffinities
from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.transforms import LoadVolumed, SaveVolumed, check_outputs, output_stem
from sectome.volumes import open_volume, write_volume


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("/data/cube.h5:volumes/raw", "cube_volumes_raw"),
        ("sections/", "sections"),
        ("precomputed:///data/cube", "cube"),
        ("precomputed://https://host:8080/em/cube/", "cube"),
        ("https://host:8080/em/cube.ome.zarr:0", "cube_0"),
        ("s3://lab/em/cube.zarr:volumes/raw", "cube_volumes_raw"),
        ("s3://cube.zarr", "cube"),
    ],
)
def test_outputs_are_named_after_the_image_wherever_it_lies(name, stem):
    assert output_stem({"filename": name}) == stem


@pytest.mark.parametrize("suffix", [".tif", ".ome.zarr", ".h5"])
def test_what_is_written_lies_where_the_image_does(suffix, tmp_path):
    image = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32)
    write_volume(tmp_path / "a.zarr", image, voxel_size_nm=(30, 6, 6), offset_nm=(3000, 600, -1200))
    data = LoadVolumed("image")({"image": str(tmp_path / "a.zarr")})
    maps = np.repeat(image[None], 3, axis=0)
    data["pred"], data["maps"] = data["image"], data["image"].new_tensor(maps)
    SaveVolumed("pred", str(tmp_path), name="copy", suffix=suffix)(data)
    written = open_volume(tmp_path / f"a_copy{suffix}")
    assert (written.voxel_size_nm, written.offset_nm) == ((30, 6, 6), (3000, 600, -1200))
    SaveVolumed("maps", str(tmp_path), name="affinities", channels=NEAREST)(data)
    assert StoredAffinities(tmp_path / "a_affinities.zarr").offset_nm == (3000, 600, -1200)
    with pytest.raises(
        InputError, match=r"expected a volume \(1, Z, Y, X\) to write, got shape \(3, 3, 8, 9\); give channels"
    ):
        SaveVolumed("maps", str(tmp_path), name="first", suffix=suffix)(data)
    assert not (tmp_path / f"a_first{suffix}").exists()


@pytest.mark.parametrize(
    ("folder", "images", "suffix", "sentence"),
    [
        ("notes.txt", ["a.tif"], ".tif", r"output_dir must be a folder, got \S+notes.txt, where"),
        ("notes.txt/eval", ["a.tif"], ".tif", r"got \S+notes.txt/eval, where \S+notes.txt is a file"),
        ("eval", ["a.tif"], ".jpg", "got 'a.jpg'"),
        ("eval", ["a.tif"], "tif", r"suffix of outputs must begin with a dot, such as '\.tif', got 'tif'"),
        ("eval", ["a.tif", None], ".tif", r"each entry of datalist must have an image, got {'image': None}"),
        (
            "eval",
            ["x/a.tif", "b.h5:raw", "y/a.zarr"],
            ".tif",
            "images must have different names, .*, got x/a.tif and y/a.z",
        ),
    ],
)
def test_outputs_that_cannot_be_written_or_would_replace_each_other_are_refused(
    tmp_path, folder, images, suffix, sentence
):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(InputError, match=sentence):
        check_outputs(str(tmp_path / folder), [{"image": image} for image in images], suffix)
    check_outputs(str(tmp_path / "eval/new"), [{"image": "x/a.tif"}, {"image": "y/b.tif"}], ".ome.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path))
    with pytest.raises(
        InputError, match=f"writable folder, got {tmp_path}/eval, where {tmp_path} may not be written to"
    ):
        check_outputs(str(tmp_path / "eval"), [])
