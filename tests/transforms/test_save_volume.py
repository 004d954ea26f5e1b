from __future__ import annotations

import numpy as np
import pytest

from sectome.affinity_file import read_affinities
from sectome.neighbourhoods import NEAREST
from sectome.transforms import LoadVolumed, SaveVolumed, output_stem
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
    assert read_affinities(tmp_path / "a_affinities.zarr").offset_nm == (3000, 600, -1200)
