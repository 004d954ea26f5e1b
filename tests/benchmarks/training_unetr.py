"""A training step and a prediction of affinities: ours against MONAI's `UNETR`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from training_measure import Setting, Work, compare, training_step  # isort: skip  (sets the number of threads)

import torch
from monai.networks.nets import UNETR
from training_config import from_config, scripts_of, size_settings

from sectome.neighbourhoods import LONG_RANGE
from sectome.training import compile_network, compile_prediction, parameter_groups, record_network

MONAI_PATCH, MONAI_DEPTH = (16, 16, 16), 12
"""What MONAI's network fixes."""


@dataclass(frozen=True)
class Candidate:
    """A network for affinities and its optimizer.

    Args:
        size: name of the encoder's size; its depth is MONAI's 12 for both.
        crop: voxels (z, y, x).
        patch: voxels of ours (z, y, x); MONAI's are cubes of 16.
        batch: crops of a call.
        train: a training step instead of a prediction.
        overlays: of our train.json, paths below configs/; None is MONAI's network.
        channels_last: whether MONAI's network keeps the channels of a voxel beside each other in memory; ours does what
            its config says.
        recorded: forward and backward pass are CUDA graphs, as with `cuda_graph` in train.json.
        compiled: their kernels, and those of the loss, are made by torch, as with `compile` there; those of a
            prediction as with `compile` in inference.json.
    """

    size: str
    crop: tuple[int, int, int]
    patch: tuple[int, int, int]
    batch: int
    train: bool
    overlays: tuple[str, ...] | None = None
    channels_last: bool = False
    recorded: bool = False
    compiled: bool = False


def network_of(candidate: Candidate, size: Mapping[str, int], device: torch.device) -> torch.nn.Module:
    """Return the network on the device."""
    if candidate.overlays is not None:
        settings = {**size, "depth": MONAI_DEPTH, "patch_size": list(candidate.patch), "device": device}
        return from_config("em_segmentation", "network", candidate.overlays, **settings)
    network = UNETR(
        in_channels=1,
        out_channels=len(LONG_RANGE),
        img_size=candidate.crop,
        feature_size=size["feature_size"],
        hidden_size=size["hidden_size"],
        mlp_dim=4 * size["hidden_size"],
        num_heads=size["num_heads"],
        qkv_bias=True,
    )
    return network.to(device, memory_format=torch.channels_last_3d if candidate.channels_last else None)


def build(candidate: Candidate, setting: Setting) -> Work:
    """Return a training step or a prediction of a candidate."""
    torch.manual_seed(0)
    network = network_of(candidate, size_settings("em_segmentation", candidate.size), setting.device)
    image = torch.randn(candidate.batch, 1, *candidate.crop, device=setting.device)
    label = torch.randint(0, 9, (candidate.batch, 1, *candidate.crop), device=setting.device)

    def predict() -> torch.Tensor:
        with torch.no_grad(), setting.autocast():
            return network(image)

    assert predict().shape == (candidate.batch, len(LONG_RANGE), *candidate.crop)
    if not candidate.train:
        network.eval()
        if not candidate.compiled:
            return Work(predict, network)
        torch.compiler.reset()
        compile_prediction(network)
        # What is compiled is looked up by the names of its modules.
        with scripts_of("em_segmentation"):
            predict()
        plain = replace(candidate, compiled=False)
        return Work(predict, network, plain=lambda: build(plain, setting))
    if candidate.overlays is None:
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    else:
        optimizer = torch.optim.AdamW(parameter_groups(network, 1e-4, 0.01), fused=True)
    affinity_loss = from_config("em_segmentation", "loss")

    def loss(output: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return affinity_loss(output.float(), label)

    work = training_step(network, optimizer, loss, image, label, setting)
    if candidate.compiled:
        torch.compiler.reset()  # After eight shapes torch would go on without compiling, and say so in a log only.
        compile_network(network, affinity_loss)
    # What is compiled is looked up by the names of its modules.
    with scripts_of("em_segmentation"):
        if candidate.recorded:
            record_network(network, image.shape, setting.device, setting.precision)
        if candidate.compiled:
            work.run()
    if candidate.recorded or candidate.compiled:
        # Operations cannot be counted in what is recorded or compiled.
        plain = replace(candidate, recorded=False, compiled=False)
        return replace(work, plain=lambda: build(plain, setting))
    return work


def against_monai(
    size: str,
    crop: tuple[int, int, int],
    patch: tuple[int, int, int],
    batch: int,
    setting: Setting,
    peak: float,
    memory: bool,
) -> list[dict[str, Any]]:
    """Return rows of our networks and of MONAI's with both layouts of memory."""
    cut = "patch " + "x".join(map(str, patch))
    if patch != MONAI_PATCH:
        cut += " (MONAI 16x16x16)"
    rows = []
    for train in (True, False):
        ours = Candidate(size, crop, patch, batch, train, overlays=())
        candidates = {
            "MONAI UNETR": replace(ours, overlays=None),
            "MONAI UNETR, channels last": replace(ours, overlays=None, channels_last=True),
            "sectome, default": ours,
            "sectome, unetr": replace(ours, overlays=("networks/unetr.json",)),
        }
        recorded = train and setting.device.type == "cuda"
        if recorded:
            candidates["sectome, default, cuda_graph"] = replace(ours, recorded=True)
        if setting.device.type == "cuda" or size == "demo":  # Two minutes of compiling.
            compiled = "compile and cuda_graph" if recorded else "compile"
            candidates[f"sectome, default, {compiled}"] = replace(ours, recorded=recorded, compiled=True)
        part = "unetr step" if train else "unetr prediction"
        case = f"{size}, batch {batch}, crop {'x'.join(map(str, crop))}, {cut}"
        rows += compare(part, case, build, candidates, setting, peak, memory and train)
    return rows
