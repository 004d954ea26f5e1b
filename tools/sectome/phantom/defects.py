"""Defects of serial sections in a phantom, as cutting and imaging leave them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from sectome.checks import check_within
from sectome.phantom.phantom import Phantom
from sectome.transforms import (
    Augmentation,
    Charging,
    Crack,
    Fold,
    Misalignment,
    MissingSection,
    PartialSection,
    SectionBlur,
    SectionContrast,
    Stripes,
    intensity_statistics,
    standardise_intensity,
)


def add_defects(phantom: Phantom, share: float = 0.3, seed: int = 0) -> Phantom:
    """Return the phantom with one defect in each of some of its sections.

    The defects are lost and partly lost sections, slips, blur, other contrast, stripes, charging, folds and cracks.
    Labels move with the image. A lost section keeps its labels, and the gap of a crack is background.

    Args:
        phantom: phantom without defects.
        share: probability that a section has a defect.
        seed: the same seed makes the same defects.

    Raises:
        InputError: if the share is not between 0 and 1.
    """
    check_within(share, 0, 1, "the share of sections with defects")
    random = np.random.default_rng(seed)
    mean, deviation = intensity_statistics(phantom.raw)
    image = standardise_intensity(phantom.raw, mean, deviation)
    labels = torch.from_numpy(np.stack([phantom.neurons, phantom.mitochondria]).astype(np.int64))
    for z in np.flatnonzero(random.random(len(image)) < share):
        section = slice(z, z + 1)
        defect = _draw_defect(random)
        image[section] = defect(image[None, section])[0]
        if not defect.grey_only:
            labels[:, section] = defect(labels[:, section], randomize=False)
    raw = (image * deviation + mean).round().clamp(0, 255).to(torch.uint8).numpy()
    neurons, mitochondria = labels.numpy()
    return replace(
        phantom,
        raw=raw,
        neurons=neurons.astype(phantom.neurons.dtype),
        mitochondria=mitochondria.astype(phantom.mitochondria.dtype),
    )


def _draw_defect(random: np.random.Generator) -> Augmentation:
    defects: list[Augmentation] = [
        MissingSection(fill="flat", prob=1),
        PartialSection(prob=1),
        Misalignment(mode="slip", prob=1),
        SectionBlur(prob=1),
        SectionContrast(prob=1),
        Stripes(prob=1),
        Charging(prob=1),
        Fold(prob=1),
        Crack(prob=1),
    ]
    defect = defects[random.integers(len(defects))]
    return defect.set_random_state(seed=int(random.integers(2**31)))
