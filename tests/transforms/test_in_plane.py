"""Looking voxels up elsewhere in their sections, against scipy, for images and labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch.nn import functional as F

from sectome.checks import InputError
from sectome.transforms import Elastic, Scaling, bend_in_plane, scale_in_plane
from sectome.transforms.in_plane import mirror, sample_in_plane


def test_a_mirror_folds_positions_back():
    assert mirror(torch.arange(-4, 8), 4).tolist() == [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]
    assert mirror(torch.tensor([-2.5, 0.5]), 1).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_voxels_come_from_where_scipy_finds_them(dtype):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 99, (2, 1, 3, 7, 10)).astype(dtype)
    y, x = (rng.uniform(-4, length + 4, (2, 7, 10)) for length in (7, 10))
    result = sample_in_plane(torch.from_numpy(images), torch.from_numpy(y).float(), torch.from_numpy(x).float())
    order = 0 if dtype == np.int64 else 1
    for crop in range(2):
        for z in range(3):
            expected = map_coordinates(images[crop, 0, z], [y[crop], x[crop]], order=order, mode="mirror")
            np.testing.assert_allclose(result[crop, 0, z].numpy(), expected, atol=2e-3)


def test_no_displacement_and_no_scaling_are_the_identity():
    images = torch.rand(2, 1, 3, 9, 12)
    torch.testing.assert_close(bend_in_plane(images, torch.zeros(2, 2, 3, 3)), images)
    torch.testing.assert_close(scale_in_plane(images, torch.ones(2, 2)), images)


def test_a_bend_is_the_displacement_and_the_same_in_all_sections():
    ramp = torch.arange(40.0).expand(1, 1, 3, 30, 40)
    displacements = torch.zeros(1, 2, 3, 4)
    displacements[:, 1] = 2.5
    bent = bend_in_plane(ramp, displacements)
    torch.testing.assert_close(bent[..., :36], ramp[..., :36] + 2.5)
    transform = Elastic(prob=1.0).set_random_state(seed=0)
    after = transform(torch.rand(1, 1, 64, 64).expand(1, 5, 64, 64))
    assert all(torch.equal(after[:, 0], after[:, z]) for z in range(5))


def test_scaling_enlarges_about_the_middle():
    y = torch.arange(21.0)[:, None].expand(1, 1, 2, 21, 31) - 10
    scaled = scale_in_plane(y, torch.tensor([[2.0, 1.0]]))
    torch.testing.assert_close(scaled, y / 2, atol=1e-5, rtol=0)


def test_a_transform_draws_within_its_options():
    scaling = Scaling((0.8, 1.3), prob=1.0).set_random_state(seed=0)
    drawn = []
    for _ in range(200):
        scaling.randomize((1, 2, 8, 8))
        drawn.append(scaling.parameters["factors"])
    assert 0.8 <= np.min(drawn) < 0.82
    assert 1.27 < np.max(drawn) <= 1.3
    assert abs(np.mean(np.log(drawn))) < 0.03
    elastic = Elastic(2.0, 20.0, prob=1.0).set_random_state(seed=0)
    elastic.randomize((1, 2, 41, 61))
    assert elastic.parameters["displacements"].shape == (2, 3, 4)
    assert np.abs(elastic.parameters["displacements"]).max() <= 4


@pytest.mark.parametrize(
    ("sigma", "spacing", "edge"), [(3.0, 40.0, 96), (3.0, 40.0, 10), (6.0, 40.0, 128), (10.0, 40.0, 42)]
)
def test_bends_never_turn_tissue_inside_out(sigma, spacing, edge):
    elastic = Elastic(sigma, spacing, prob=1.0).set_random_state(seed=0)
    place = torch.stack(torch.meshgrid(torch.arange(float(edge)), torch.arange(float(edge)), indexing="ij"))
    for _ in range(60):
        elastic.randomize((1, 1, edge, edge))
        drawn = torch.from_numpy(elastic.parameters["displacements"]).float()[None]
        to = place + F.interpolate(drawn, size=(edge, edge), mode="bicubic", align_corners=True)[0]
        along_y, along_x = to[:, 1:, :-1] - to[:, :-1, :-1], to[:, :-1, 1:] - to[:, :-1, :-1]
        assert (along_y[0] * along_x[1] - along_y[1] * along_x[0]).min() > 0


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"spacing_voxels \(4 sigma_voxels\) must be a number of at least 40"):
        Elastic(10.0, 20.0)
    with pytest.raises(InputError, match=r"factors must be a range \(low, high\) within 0\.5 and 2\.0, got"):
        Scaling((0.1, 1.0))
    with pytest.raises(InputError, match=r"factors must allow for a change"):
        Scaling((1, 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_voxels_of_half_precision_come_from_where_those_of_float32_do(dtype):
    images = torch.rand(1, 1, 2, 256, 256, generator=torch.Generator().manual_seed(0)).to(dtype)
    factors = torch.tensor([[1.1, 0.93]])
    scaled = scale_in_plane(images, factors)
    assert scaled.dtype == dtype
    torch.testing.assert_close(scaled.float(), scale_in_plane(images.float(), factors), atol=4e-3, rtol=0)
