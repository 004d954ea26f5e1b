"""Each orientation of a window has its say about the same pairs of voxels."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, combinations, permutations, product

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from sectome.affinities import labels_to_affinities
from sectome.bundle import find_input_error
from sectome.checks import InputError
from sectome.inference import StreamingInferer, predict_oriented
from sectome.inference.orientations import check_exchanged, predictions_a_window
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST
from sectome.volumes import write_volume
from tiny_networks import BUNDLES

LABELS = np.random.default_rng(0).integers(1, 3, (1, 1, 12, 12, 12))


def true_affinities(offsets):
    def predict(windows):
        return torch.from_numpy(labels_to_affinities(windows[:, 0].numpy(), offsets)[0]).float()

    return predict


def reference_mean(predict, windows, offsets, orders):
    """Return, by channel and voxel, the mean of all that is said of its pair of voxels, each told by its two ids."""
    shape = windows.shape[2:]
    ids = np.arange(np.prod(shape)).reshape(shape)
    said = defaultdict(list)
    for order, axes in product(orders, chain.from_iterable(combinations(range(3), n) for n in range(4))):
        turned_ids = np.flip(ids.transpose(order), axes)
        turned = np.flip(windows.numpy()[0, 0].transpose(order), axes)
        values = predict(torch.from_numpy(turned.copy())[None, None])[0].numpy()
        for step, channel in zip(offsets, values, strict=True):
            for place in np.ndindex(turned.shape):
                other = tuple(np.add(place, step))
                if all(0 <= at < extent for at, extent in zip(other, turned.shape, strict=True)):
                    pair = frozenset((turned_ids[place], turned_ids[other]))
                    said[pair, tuple(sorted(map(abs, step)))].append(channel[place])
    mean = np.full((len(offsets), *shape), np.nan)
    for k, place in product(range(len(offsets)), np.ndindex(shape)):
        other = tuple(np.add(place, offsets[k]))
        if all(0 <= at < extent for at, extent in zip(other, shape, strict=True)):
            mean[k][place] = np.mean(said[frozenset((ids[place], ids[other])), tuple(sorted(map(abs, offsets[k])))])
    return mean


@pytest.mark.parametrize(
    ("orientations", "offsets", "count"),
    [("one", LONG_RANGE, 1), ("flips", LONG_RANGE, 8), ("in_plane", LONG_RANGE, 16), ("isotropic", ISOTROPIC, 48)],
)
def test_a_network_that_knows_the_truth_says_it_in_every_orientation(orientations, offsets, count):
    windows = torch.from_numpy(LABELS)
    calls = []

    def predict(turned):
        calls.append(turned)
        return true_affinities(offsets)(turned)

    mean = predict_oriented(predict, orientations, offsets)(windows)
    assert len(calls) == predictions_a_window(orientations) == count
    assert len({tuple(turned.flatten().tolist()) for turned in calls}) == count
    truth, valid = labels_to_affinities(LABELS[:, 0], offsets)
    known = torch.from_numpy(valid.astype(bool))
    torch.testing.assert_close(mean[known], torch.from_numpy(truth)[known].float())


@pytest.mark.parametrize(
    ("orientations", "shape", "orders"),
    [
        ("flips", (3, 4, 5), [(0, 1, 2)]),
        ("in_plane", (3, 5, 5), [(0, 1, 2), (0, 2, 1)]),
        ("isotropic", (5, 5, 5), list(permutations(range(3)))),
    ],
)
def test_affinities_are_the_mean_of_what_all_orientations_say_of_a_pair(orientations, shape, orders):
    torch.manual_seed(0)
    offsets = (*NEAREST, (-2, 0, 0), (0, -2, 0), (0, 0, -2))
    network = torch.nn.Conv3d(1, 6, 3, padding=1).requires_grad_(False)
    windows = torch.randn(1, 1, *shape)
    before = windows.clone()
    mean = predict_oriented(network, orientations, offsets)(windows)[0].numpy()
    expected = reference_mean(network, windows, offsets, orders)
    known = np.isfinite(expected)
    np.testing.assert_allclose(mean[known], expected[known], atol=1e-6)
    assert np.abs(network(windows)[0].numpy() - expected)[known].max() > 0.1
    assert torch.equal(windows, before)


@pytest.mark.parametrize("orientations", ["one", "flips", "in_plane", "isotropic"])
def test_channels_without_offsets_are_turned_back_only(orientations):
    windows = torch.randn(2, 1, 6, 6, 6)
    mean = predict_oriented(lambda turned: torch.cat([turned, turned.square()], dim=1), orientations)(windows)
    torch.testing.assert_close(mean, torch.cat([windows, windows.square()], dim=1))


def test_axes_that_are_exchanged_must_be_as_long():
    same = "must have the same length along the axes that orientations"
    for orientations, shape in (("isotropic", (4, 6, 6)), ("in_plane", (4, 6, 8))):
        with pytest.raises(InputError, match=rf"^windows {same} '{orientations}' exchanges, got \({shape[0]}, 6, "):
            predict_oriented(lambda turned: turned, orientations)(torch.zeros(1, 1, *shape))
    check_exchanged("in_plane", (30, 6, 6), "voxels")
    check_exchanged("flips", (30, 6, 4), "voxels")
    check_exchanged("isotropic", (8, 9, 10), "voxels", most_ratio=1.25)
    with pytest.raises(InputError, match=rf"^voxels {same} 'isotropic' exchanges, got \(30, 6, 6\)"):
        check_exchanged("isotropic", (30, 6, 6), "voxels", most_ratio=1.25)


def test_offsets_that_another_order_of_axes_does_not_keep_are_refused():
    predict_oriented(true_affinities(LONG_RANGE), "in_plane", LONG_RANGE)
    with pytest.raises(InputError, match=r"'isotropic' exchange.*, got \(-2, 0, 0\) without one of \(0, 2, 0\)"):
        predict_oriented(true_affinities(LONG_RANGE), "isotropic", LONG_RANGE)
    with pytest.raises(InputError, match=r"'in_plane' exchange.*, got \(0, -1, 0\) without one of \(0, 0, 1\)"):
        predict_oriented(true_affinities(NEAREST), "in_plane", NEAREST[:2])


def test_orientations_that_are_not_known_are_refused():
    with pytest.raises(
        InputError, match="orientations must be one of 'one', 'flips', 'in_plane', 'isotropic', got 'al"
    ):
        predict_oriented(lambda turned: turned, "all")


def test_a_step_longer_than_a_window_has_no_vote_of_a_flip():
    windows = torch.from_numpy(LABELS[..., :3])
    truth, valid = labels_to_affinities(LABELS[:, 0, ..., :3], ISOTROPIC)
    mean = predict_oriented(true_affinities(ISOTROPIC), "flips", ISOTROPIC)(windows)
    known = torch.from_numpy(valid.astype(bool))
    torch.testing.assert_close(mean[known], torch.from_numpy(truth)[known].float())


def test_the_inferer_of_configs_takes_the_mean_over_orientations_of_each_window():
    torch.manual_seed(0)
    image, network = torch.rand(1, 1, 6, 8, 8), torch.nn.Conv3d(1, len(ISOTROPIC), 3, padding=1).requires_grad_(False)
    found = StreamingInferer((6, 8, 8), orientations="in_plane", offsets=ISOTROPIC)(image, network)
    torch.testing.assert_close(found, predict_oriented(network, "in_plane", ISOTROPIC)(image))
    with pytest.raises(
        InputError, match="windows must have the same length along the axes that orientations 'isotropic' exchanges"
    ):
        StreamingInferer((6, 8, 8), orientations="isotropic")


def test_an_image_whose_voxels_the_orientations_do_not_suit_is_refused_in_a_pipeline():
    def image(*sizes_nm):
        return MetaTensor(torch.rand(len(sizes_nm), 1, 4, 4, 4), meta={"voxel_size_nm": torch.tensor(sizes_nm)})

    inferer = StreamingInferer((4, 4, 4), orientations="isotropic")
    assert inferer(image((8.0, 7.0, 8.0)), lambda windows: windows).shape == (1, 1, 4, 4, 4)
    with pytest.raises(
        InputError, match=r"voxels of the image must have the same length .*, got \(30.0, 8.0, 8.0\) along"
    ):
        inferer(image((8.0, 8.0, 8.0), (30.0, 8.0, 8.0)), lambda windows: windows)


def test_a_volume_whose_voxels_the_orientations_do_not_suit_is_not_evaluated(tmp_path):
    for name in ("image", "label"):
        write_volume(tmp_path / f"{name}.tif", np.ones((4, 4, 4), np.uint8), voxel_size_nm=(30, 8, 8))
    volumes = [{name: str(tmp_path / f"{name}.tif") for name in ("image", "label")}]
    parser = ConfigParser()
    parser.read_config([BUNDLES / "em_segmentation" / "configs" / f"{name}.json" for name in ("train", "evaluate")])
    parser.update({"val_data": volumes, "test_data": volumes, "orientations": "isotropic"})
    with pytest.raises(RuntimeError) as failed:
        parser.get_parsed_content("run#0")
    assert "image.tif must have the same length along the axes" in str(find_input_error(failed.value))
    parser.update({"orientations": "in_plane"})
    parser.get_parsed_content("run#0")
