"""Predictions that are finished slab by slab equal those that are held whole."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from torch import nn

from sectome.checks import InputError
from sectome.inference import StreamingInferer, Tile, blended_slabs, window_grid
from sectome.transforms.in_plane import mirror

SHAPE, WINDOW = (37, 70, 64), (16, 32, 20)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.Tanh(), nn.Conv3d(3, 2, 5, padding=2)).requires_grad_(False)


@pytest.fixture(scope="module")
def image():
    return torch.randn(1, 1, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
@pytest.mark.parametrize("mode", ["constant", "gaussian"])
def test_the_streaming_inferer_returns_what_monai_does(network, image, overlap, mode):
    theirs = SlidingWindowInferer(WINDOW, 3, overlap, mode=mode)
    grid = window_grid(SHAPE, WINDOW, overlap, mode)
    z, y, x = (torch.from_numpy(weights) for weights in grid.weights)
    # Else MONAI raises small weights to 1/1000 of the greatest, so that no sum of them is a product.
    theirs.roi_weight_map = z[:, None, None] * y[:, None] * x
    expected = theirs(image, network)
    torch.testing.assert_close(StreamingInferer(WINDOW, 3, overlap, mode)(image, network), expected, rtol=0, atol=1e-5)


def test_several_images_and_one_thinner_than_a_window(network, image):
    batch = torch.cat([image, -image])
    found = StreamingInferer(WINDOW, 2, 0.5)(batch, network)
    assert found.shape == (2, 2, *SHAPE)
    torch.testing.assert_close(found[1:], StreamingInferer(WINDOW, 5, 0.5)(-image, network))
    thin = image[:, :, :9]
    extended = thin.index_select(2, mirror(torch.arange(WINDOW[0]), 9))
    expected = SlidingWindowInferer(WINDOW, 3, 0.5)(extended, network)[:, :, :9]
    found = StreamingInferer(WINDOW, 3, 0.5, mode="constant")(thin, network)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def collect(image, network, **options):
    grid = window_grid(SHAPE, WINDOW, 0.5)
    slabs = [
        slab._replace(values=slab.values.clone())
        for slab in blended_slabs(image[0, 0].__getitem__, network, grid, **options)
    ]
    ends = [slab.start + slab.values.shape[1] for slab in slabs]
    assert [slab.start for slab in slabs[1:]] == ends[:-1]
    return torch.cat([slab.values for slab in slabs], dim=1)


def counting(network):
    """Return a network and a list, to which each call of it adds its number of windows."""
    sizes = []

    def predict(windows):
        sizes.append(len(windows))
        return network(windows)

    return predict, sizes


def test_windows_are_shared_out_evenly_so_that_the_last_is_not_alone(network, image):
    predict, sizes = counting(network)
    grid = window_grid(SHAPE, WINDOW, 0.5)
    layers, windows = len(grid.starts[0]), len(grid.starts[1]) * len(grid.starts[2])
    assert windows % 23 == 1
    for _ in blended_slabs(image[0, 0].__getitem__, predict, grid, batch_size=23):
        pass
    assert sum(sizes) == layers * windows
    assert max(sizes) <= 23
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("sections", [slice(0, 5), slice(7, 30), slice(36, 37)])
def test_sections_are_what_the_whole_has_there(network, image, sections):
    part = collect(image, network, sections=sections, tile=Tile(slice(3, 41), slice(0, 64)))
    torch.testing.assert_close(part, collect(image, network)[:, sections, 3:41], rtol=0, atol=1e-6)


@pytest.mark.parametrize("tile", [Tile(slice(0, 30), slice(21, 64)), Tile(slice(40, 70), slice(0, 10))])
def test_a_tile_is_what_the_whole_is_there(network, image, tile):
    whole = collect(image, network)
    assert whole.shape == (2, *SHAPE)
    torch.testing.assert_close(collect(image, network, tile=tile, batch_size=3), whole[:, :, tile.y, tile.x])


def test_values_are_right_where_all_windows_are_wanted(network, image):
    counted, calls = counting(network)
    whole = collect(image, counted)
    every = sum(calls)
    calls.clear()
    # Windows that reach section 20 or a later one.
    grid = window_grid(SHAPE, WINDOW, 0.5)
    starts = []
    for slab in blended_slabs(image[0, 0].__getitem__, counted, grid, wanted=lambda box: box[0].stop > 20):
        starts.append(slab.start)
        for section in range(slab.start, slab.start + slab.values.shape[1]):
            if section >= 20:
                torch.testing.assert_close(slab.values[:, section - slab.start], whole[:, section])
    assert 0 < sum(calls) < every
    assert starts[0] == 8


def test_metadata_of_the_images_stay_with_the_values():
    image = MetaTensor(torch.rand(1, 1, *WINDOW), meta={"filename": "cube.tif"})
    values = StreamingInferer(WINDOW)(image, lambda windows: torch.cat([windows, windows], dim=1))
    assert values.shape == (1, 2, *WINDOW)
    assert values.meta["filename"] == "cube.tif"


def test_a_window_that_is_none_is_refused():
    with pytest.raises(
        InputError, match=r"roi_size must be three whole numbers of at least 1 \(z, y, x\), got \[8\.5, 16"
    ):
        StreamingInferer((8.5, 16, 16))


@pytest.mark.parametrize("windows", [0, 1.5, "four"])
def test_windows_at_once_that_are_no_count_are_refused(windows):
    with pytest.raises(InputError, match=f"sw_batch_size must be a whole number of at least 1, got {windows!r}"):
        StreamingInferer(WINDOW, windows)
