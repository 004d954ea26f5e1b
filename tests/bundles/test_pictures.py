"""What the bundles take of a validation to draw."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.training.pictures import figure_pixels
from tiny_networks import BUNDLES

SHAPE = (2, 1, 3, 8, 8)


def output(channels):
    random = torch.Generator().manual_seed(0)
    return {
        "image": torch.randn(SHAPE, generator=random),
        "label": torch.randint(-1, 3, SHAPE, generator=random),
        "pred": torch.randn((2, channels, *SHAPE[2:]), generator=random),
    }


def test_of_many_offsets_the_nearest_and_the_longest_are_shown(segmentation_scripts):
    loss = segmentation_scripts.AffinityLoss(LONG_RANGE)
    picture = segmentation_scripts.PredictionPicture(loss, (30, 6, 6))
    assert [loss.channels[channel] for channel in picture.shown] == ["z -1", "y -1", "x -1", "x -27"]
    batch = output(12)
    taken = picture.take(batch)
    assert taken["predicted"].shape == (4, 3, 8, 8)
    assert torch.equal(torch.from_numpy(taken["predicted"]), batch["pred"][0, [0, 1, 2, 11]].sigmoid())
    targets, valid = loss.targets(batch["label"])
    assert torch.equal(torch.from_numpy(taken["targets"]), targets[0, [0, 1, 2, 11]])
    assert torch.equal(torch.from_numpy(taken["valid"]), valid[0, [0, 1, 2, 11]])
    assert figure_pixels(picture.draw(taken)).shape[2] == 3


def test_of_few_offsets_and_of_mitochondria_all_are_shown(segmentation_scripts):
    for loss, names in (
        (segmentation_scripts.AffinityLoss(NEAREST), ["z -1", "y -1", "x -1"]),
        (segmentation_scripts.BoundaryContourLoss(), ["foreground", "contour"]),
    ):
        picture = segmentation_scripts.PredictionPicture(loss, (30, 6, 6))
        figure = picture.draw(picture.take(output(len(names))))
        assert names == [text.get_text() for text in figure.texts if text.get_text() in names]


@pytest.mark.parametrize(("loss", "drawn"), [("scripts.BoundaryContourLoss", 1), ("torch.nn.BCEWithLogitsLoss", 0)])
def test_a_loss_that_does_not_say_its_targets_trains_without_pictures(segmentation_scripts, loss, drawn):
    parser = ConfigParser()
    parser.read_config(BUNDLES / "em_segmentation/configs/train.json")
    parser.update({"loss": {"_target_": loss}, "picture#voxel_size_nm": [30, 6, 6]})
    [handler] = [one for one in parser["train#handlers"] if one["_target_"] == "sectome.training.Pictures"]
    parser["shown"] = [{**handler, "evaluator": None, "trackers": []}]
    assert len(parser.get_parsed_content("shown")) == drawn


def test_a_step_along_several_axes_names_them_all(segmentation_scripts):
    assert segmentation_scripts.AffinityLoss([(-1, 0, 3)]).channels == ["z -1 x 3"]


def test_the_first_crops_are_reconstructed(mae_scripts):
    torch.manual_seed(0)
    network = mae_scripts.MaskedAutoencoder(
        (1, 4, 4), hidden_size=24, depth=1, num_heads=2, decoder_hidden_size=24, decoder_depth=1, decoder_num_heads=2
    ).eval()
    image = torch.randn(3, 1, 3, 8, 8)
    with torch.no_grad():
        batch = {"image": image, "pred": network(image)}
    picture = mae_scripts.ReconstructionPicture(network, (30, 6, 6))
    taken = picture.take(batch)
    assert set(taken) == {"image", "masked", "reconstructed", "hidden"}
    assert all(array.shape == (2, 3, 8, 8) for array in taken.values())
    assert (taken["masked"][taken["hidden"]] == 0).all()
    assert (taken["reconstructed"] == taken["image"])[~taken["hidden"]].all()
    assert taken["hidden"].mean() == 0.75
    assert figure_pixels(picture.draw(taken)).shape[2] == 3
