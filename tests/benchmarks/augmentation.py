"""The augmentation of a crop of 32x160x160 with labels, every step done: ours against MONAI and PyTorch Connectomics.

The chains are matched step by step: each of ours has those steps that the peer has too, with the nearest meaning. The
whole chain of `configs/augmentation/serial_sections.json` stands beside them.

Run: python tests/benchmarks/augmentation.py [PYTC]
PYTC is `connectomics/data/augment/monai_transforms.py` of a checkout of github.com/zudi-lin/pytorch_connectomics, which
needs opencv; without it that comparison is left out.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
import torch
from monai import transforms as monai
from monai.bundle import ConfigParser

import sectome.transforms as ours

CROP = (32, 160, 160)
BOTH = ["image", "label"]
OVERLAY = Path(__file__).parents[2] / "bundles/em_segmentation/configs/augmentation/serial_sections.json"


def spatial() -> list[Any]:
    """Return our steps that MONAI and PyTorch Connectomics have too."""
    return [
        ours.Elasticd(BOTH, prob=1),
        ours.Scalingd(BOTH, prob=1),
        ours.Contrastd("image", prob=1),
        ours.Gammad("image", prob=1),
        ours.GaussianNoised("image", prob=1),
        ours.CutOutd("image", prob=1),
        ours.RandomOrientationd(BOTH),
    ]


def monai_spatial() -> list[Any]:
    """Return MONAI's steps nearest to them."""
    modes = ["bilinear", "nearest"]
    return [
        monai.Rand3DElasticd(BOTH, (5, 8), (50, 150), prob=1, mode=modes, padding_mode="reflection"),
        monai.RandAffined(BOTH, prob=1, scale_range=(0, 0.1, 0.1), mode=modes, padding_mode="reflection"),
        monai.RandScaleIntensityd("image", 0.2, prob=1),
        monai.RandShiftIntensityd("image", 0.2, prob=1),
        monai.RandAdjustContrastd("image", prob=1, gamma=(0.7, 1.4)),
        monai.RandGaussianNoised("image", prob=1, std=0.2),
        monai.RandCoarseDropoutd("image", 3, (6, 32, 32), prob=1, fill_value=0),
        monai.RandFlipd(BOTH, prob=1),
        monai.RandRotate90d(BOTH, prob=1, spatial_axes=(1, 2)),
    ]


def connectomics_chain(path: str) -> list[Any]:
    """Return PyTorch Connectomics' augmentations as its `build.py` strings them together."""
    spec = importlib.util.spec_from_file_location("connectomics_transforms", path)
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    return [
        monai.RandFlipd(BOTH, prob=1),
        monai.RandRotate90d(BOTH, prob=1, spatial_axes=(1, 2)),
        monai.RandAffined(BOTH, prob=1, scale_range=(0, 0.1, 0.1), mode=["bilinear", "nearest"]),
        theirs.RandElasticd(BOTH, prob=1),
        monai.RandGaussianNoised("image", prob=1, std=0.05),
        monai.RandShiftIntensityd("image", 0.1, prob=1),
        monai.RandAdjustContrastd("image", prob=1, gamma=(0.7, 1.4)),
        theirs.RandMisAlignmentd(BOTH, prob=1),
        theirs.RandMissingSectiond(BOTH, prob=1),
        theirs.RandMotionBlurd("image", prob=1),
        theirs.RandCutNoised("image", prob=1),
        theirs.RandMissingPartsd(BOTH, prob=1),
        theirs.RandStriped("image", prob=1),
    ]


def like_connectomics() -> list[Any]:
    """Return ours with the meaning of theirs."""
    return [
        *spatial(),
        ours.Misalignmentd(BOTH, max_shift_voxels=16, prob=1),
        ours.MissingSectiond("image", max_sections=2, prob=1),
        ours.SectionBlurd("image", max_sections=2, prob=1),
        ours.PartialSectiond("image", prob=1),
        ours.Stripesd("image", prob=1),
    ]


def whole_chain() -> list[Any]:
    """Return the steps of the overlay, each done always."""
    steps = json.loads(OVERLAY.read_text())["train#augmentation"]["transforms"]
    parser = ConfigParser({"isotropic": False, "steps": [{**step, "prob": 1.0} for step in steps]})
    return list(parser.get_parsed_content("steps"))


def main() -> None:
    """Print the time of a crop."""
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.standard_normal((1, *CROP), dtype=np.float32))
    label = torch.from_numpy(rng.integers(0, 50, (1, *CROP)))

    def call(transform: monai.Compose) -> dict[str, Any]:
        return transform({"image": image.clone(), "label": label.clone()})

    def compare(title: str, chains: dict[str, list[Any]], baseline: str) -> None:
        composed = {name: monai.Compose(chain) for name, chain in chains.items()}
        for name, transform in composed.items():
            transform.set_random_state(seed=0)
            result = call(transform)
            assert result["image"].shape == result["label"].shape == (1, *CROP), name
            assert not torch.equal(torch.as_tensor(result["image"]), image), name
        seconds = cpu_seconds({name: (lambda one=one: call(one)) for name, one in composed.items()}, rounds=7)
        print_table(title, seconds, baseline)

    chains = {"MONAI": monai_spatial(), "sectome, the same steps": spatial(), "sectome, all 17 steps": whole_chain()}
    compare(f"augmentation of {CROP} with labels, as MONAI has it", chains, "MONAI")
    if len(sys.argv) > 1:
        chains = {
            "PyTorch Connectomics": connectomics_chain(sys.argv[1]),
            "sectome, the same steps": like_connectomics(),
            "sectome, all 17 steps": whole_chain(),
        }
        compare(f"augmentation of {CROP} with labels, as PyTorch Connectomics has it", chains, "PyTorch Connectomics")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
