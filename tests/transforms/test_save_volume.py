from __future__ import annotations

import pytest

from sectome.transforms import output_stem


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
