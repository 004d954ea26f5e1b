"""Normalisation of grey values by two percentiles, which stains, dust and charging do not shift."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from monai.transforms import Transform
from monai.utils import convert_to_dst_type
from scipy.special import ndtri
from skimage.exposure import equalize_adapthist
from torch import Tensor
from tqdm import tqdm

from sectome.checks import InputError, check_range, check_switches
from sectome.transforms.any_array import as_tensor
from sectome.transforms.beside import beside
from sectome.transforms.keywise import Keywise
from sectome.transforms.normaliser import Sections, check_finite
from sectome.transforms.section_samples import of_varied_sections, sample_section
from sectome.types import Array, FloatArray

TILE_VOXELS = 64
"""Edge of the tiles in which `clahe` equalises; fixed, so that crops of any size are treated in the same way."""

SAMPLE_VOXELS = 2**20
"""Approximate number of voxels per section in percentiles; of larger sections, every n-th row and column is used."""


@dataclass(frozen=True, eq=False)
class FittedPercentiles:
    """Percentiles of a volume, or of each of its sections; a `FittedNormaliser`.

    Attributes:
        lowest: (1,) for the volume or (Z,) for its sections, grey value that becomes `low`.
        greatest: the same for `high`.
        low: least value of the result.
        high: greatest value of the result.
        clahe: whether each section is equalised.
    """

    lowest: FloatArray
    greatest: FloatArray
    low: float
    high: float
    clahe: bool

    def apply(self, crop: Array | Tensor, first_section: int = 0) -> Tensor:
        """Return a crop (Z, Y, X) mapped to [`low`, `high`], float32.

        A section with two equal percentiles, such as a missing one, becomes 0 throughout.

        Raises:
            InputError: if grey values are NaN or infinite, or the crop has sections that were not fitted.
        """
        check_finite(crop, first_section)
        numbers = np.zeros(len(crop), int) if len(self.lowest) == 1 else first_section + np.arange(len(crop))
        if len(crop) and not 0 <= numbers[0] <= numbers[-1] < len(self.lowest):
            raise InputError(
                f"sections must lie within the {len(self.lowest)} that were fitted, got {numbers[0]} to {numbers[-1]}"
            )
        voxels = as_tensor(crop).float()
        lowest, greatest = (
            beside(torch.from_numpy(ends[numbers, None, None]), voxels) for ends in (self.lowest, self.greatest)
        )
        empty = lowest == greatest
        fraction = ((voxels - lowest) / (greatest - lowest).masked_fill(empty, 1)).clamp_(0, 1)
        if self.clahe:
            equalised = np.stack([_equalise(section) for section in fraction.cpu().numpy()])
            fraction = torch.from_numpy(equalised).to(fraction)
        return fraction.mul_(self.high - self.low).add_(self.low).masked_fill_(empty, 0)


class PercentileIntensity(Transform):
    """Map two percentiles of a volume (1, Z, Y, X) to a fixed range, and clip values beyond it.

    The range ends at the same percentiles of the standard normal distribution: 1 and 99 become -2.33 and 2.33. Roughly
    normal grey values get mean 0 and standard deviation 1, so networks trained on standardised tissue take them.

    Args:
        lower: percentile that becomes the least value.
        upper: percentile that becomes the greatest value.
        per_section: use each section's own percentiles, where sections differ in brightness. Fitting then reads the
            whole volume once, section by section; of wide sections, only some blocks. Missing sections become 0.
        clahe: equalise the contrast of each section in tiles of 64 voxels (CLAHE; Zuiderveld 1994, Graphics Gems IV).
            Slow, about 0.06 s per million voxels whenever a crop is read. The same tissue differs slightly in another
            crop, whose tiles lie elsewhere.

    Raises:
        InputError: if the percentiles are not a range within [0.01, 99.99] or are equal, or a switch is not true or
            false.
    """

    def __init__(self, lower: float = 1, upper: float = 99, per_section: bool = False, clahe: bool = False) -> None:
        self.lower, self.upper = check_range((lower, upper), 0.01, 99.99, "the percentiles lower and upper")
        if self.lower == self.upper:
            raise InputError(f"the percentiles lower and upper must differ, got {lower} twice")
        check_switches(per_section=per_section, clahe=clahe)
        self.per_section = per_section
        self.clahe = clahe

    def fit(self, volume: Sections) -> FittedPercentiles:
        """Return the percentiles of a volume (Z, Y, X), from at most 16 of its sections, or those of each section.

        Only blocks of wide sections are read (see `sample_section`), so that memory use does not grow with the volume.

        Raises:
            InputError: if grey values are NaN or infinite.
        """
        read, depth = partial(sample_section, volume), volume.shape[0]
        if self.per_section:
            numbers = tqdm(range(depth), desc="fit grey values", unit="section", delay=2)
            ends = np.array([self._percentiles([_every_nth(read(number))]) for number in numbers])
        else:
            ends = np.array([self._percentiles(of_varied_sections(_every_nth, read, depth))])
        low, high = (float(ndtri(percentile / 100)) for percentile in (self.lower, self.upper))
        return FittedPercentiles(ends[:, 0], ends[:, 1], low, high, self.clahe)

    def __call__(self, image: Tensor) -> Tensor:
        """Return the normalised volume (1, Z, Y, X), float32, metadata kept."""
        voxels = np.asarray(as_tensor(image[0]).cpu())
        result: Tensor = convert_to_dst_type(self.fit(voxels).apply(voxels)[None], image, dtype=torch.float32)[0]
        return result

    def _percentiles(self, samples: list[Array]) -> FloatArray:
        return np.percentile(np.concatenate(samples).astype(np.float64), (self.lower, self.upper))


class PercentileIntensityd(Keywise, of=PercentileIntensity):
    """Dictionary version of `PercentileIntensity`: each key by its own percentiles."""


def _every_nth(section: Array) -> Array:
    """Return a copy of about `SAMPLE_VOXELS` grey values of a section."""
    step = int(np.ceil(np.sqrt(section.size / SAMPLE_VOXELS)))
    return section[::step, ::step].flatten()


def _equalise(section: FloatArray) -> FloatArray:
    """Return a section (Y, X) with values in [0, 1] and equalised contrast; a constant one is not changed."""
    if section.min() == section.max():
        return section
    tile = [min(TILE_VOXELS, length) for length in section.shape]
    equalised: FloatArray = equalize_adapthist(section, kernel_size=tile)
    return equalised.astype(np.float32)
