"""Networks as ONNX files: the same probabilities for any number of crops of any size that the patch divides."""

from __future__ import annotations

import pytest
import torch

from sectome.export import write_onnx
from sectome.phantom import make_phantom

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

PATCH = (2, 4, 4)
COMMON = {"patch_size": PATCH, "out_channels": 3, "feature_size": 4}
CLOSE = 1e-5
"""Largest difference of a probability."""


def tissue(*shape: int) -> torch.Tensor:
    batch, *size = shape
    raw = torch.stack([torch.from_numpy(make_phantom(size, (30, 6, 6), seed).raw) for seed in range(batch)])[:, None]
    return (raw.float() - raw.float().mean()) / raw.float().std()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["UNETR", "ResidualUNet"])
def test_probabilities_are_those_of_the_network(segmentation_scripts, name, tmp_path):
    torch.manual_seed(0)
    options = {"hidden_size": 24, "depth": 2, "num_heads": 2, "full_resolution": "sub_pixel"} if name == "UNETR" else {}
    network = getattr(segmentation_scripts, name)(**COMMON, **options).eval()
    write_onnx(network, tmp_path / "network.onnx", PATCH)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]

    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 8, 16, 16), (3, 8, 16, 16), (1, 6, 24, 20)):
        image = tissue(*shape)
        with torch.no_grad():
            expected = network(image).sigmoid()
        found = torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0]).sigmoid()
        assert expected.std() > 100 * CLOSE
        assert (found - expected).abs().max() < CLOSE
