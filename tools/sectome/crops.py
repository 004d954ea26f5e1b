"""Training and validation crops, read lazily from opened volumes.

A sample has a number, and the crop, its place and its augmentation follow from the seed and that number alone: the same
whatever the number of workers, and after a resume.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from sectome.checks import check_crop_fits
from sectome.tissue import Data, open_tissue


class _Crops(Dataset):
    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        voxel_size_nm: Sequence[float] | None,
        labelled: bool,
        transform: Callable[[dict[str, Any]], dict[str, Any]] | None,
    ) -> None:
        # MONAI's tools look for the entries under this name.
        self.data = data
        self.crop_size = tuple(int(length) for length in crop_size)
        self.transform = transform
        self.tissue = open_tissue(data, voxel_size_nm, labelled=labelled)
        for tissue in self.tissue:
            check_crop_fits(self.crop_size, tissue.shape, str(tissue.image.path))

    def _finish(self, crop: dict[str, np.ndarray]) -> dict[str, Any]:
        sample: dict[str, Any] = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in crop.items()}
        # Not `if self.transform`: MONAI's `Compose` seeds its transforms anew when it is asked for its length.
        return sample if self.transform is None else self.transform(sample)


class RandomCrops(_Crops):
    """Crops at random places of one or several volumes.

    Args:
        data: the volumes; see `Data`.
        crop_size: voxels of a crop (z, y, x).
        length: crops of an epoch.
        transform: applied to each crop, a dictionary of tensors (1, Z, Y, X); a MONAI `Compose` is seeded anew for
            each sample.
        voxel_size_nm: of volumes whose files do not say it.
        labelled: whether every volume must have labels.
        seed: of the places and the augmentation.

    Raises:
        InputError: if a volume cannot be used (see `open_tissue`) or is smaller than the crop.
    """

    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        length: int,
        transform: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        voxel_size_nm: Sequence[float] | None = None,
        labelled: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(data, crop_size, voxel_size_nm, labelled, transform)
        self.length = length
        self.seed = seed
        weights = np.array([tissue.weight for tissue in self.tissue])
        self.probabilities = weights / weights.sum()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample `number`, any whole number from 0: beyond the length the next epochs go on."""
        random = np.random.default_rng((self.seed, number))
        tissue = self.tissue[random.choice(len(self.tissue), p=self.probabilities)]
        start = [
            int(random.integers(extent - size + 1)) for extent, size in zip(tissue.shape, self.crop_size, strict=True)
        ]
        if self.transform is not None and hasattr(self.transform, "set_random_state"):
            self.transform.set_random_state(seed=int(random.integers(2**31)))
        return self._finish(tissue.read(start, self.crop_size))


class GridCrops(_Crops):
    """Crops on a fixed grid that covers the volumes; the last crop along an axis ends at the border.

    Args:
        data: the volumes; see `Data`.
        crop_size: voxels of a crop (z, y, x).
        transform: applied to each crop; should not be random.
        voxel_size_nm: of volumes whose files do not say it.
        labelled: whether every volume must have labels.
        limit: take at most so many crops, spread evenly over the grid; 0 takes all.

    Raises:
        InputError: if a volume cannot be used (see `open_tissue`) or is smaller than the crop.
    """

    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        transform: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        voxel_size_nm: Sequence[float] | None = None,
        labelled: bool = False,
        limit: int = 0,
    ) -> None:
        super().__init__(data, crop_size, voxel_size_nm, labelled, transform)
        places = [(tissue, start) for tissue in self.tissue for start in grid_starts(tissue.shape, self.crop_size)]
        if 0 < limit < len(places):
            chosen = np.linspace(0, len(places) - 1, limit).round().astype(int)
            places = [places[index] for index in chosen]
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the crop at a place of the grid."""
        tissue, start = self.places[index]
        return self._finish(tissue.read(start, self.crop_size))


class WholeVolumes(Dataset):
    """Whole volumes, one a sample, for evaluation.

    Args:
        data: the volumes; see `Data`.
        voxel_size_nm: of volumes whose files do not say it.
        labelled: whether every volume must have labels.
    """

    def __init__(self, data: Data, voxel_size_nm: Sequence[float] | None = None, labelled: bool = False) -> None:
        self.data = data
        self.tissue = open_tissue(data, voxel_size_nm, labelled=labelled)

    def __len__(self) -> int:
        return len(self.tissue)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return tensors (1, Z, Y, X) of one volume."""
        tissue = self.tissue[index]
        return {key: torch.from_numpy(value) for key, value in tissue.read((0, 0, 0), tissue.shape).items()}


def grid_starts(shape: Sequence[int], crop_size: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the starts (z, y, x) of crops that cover a volume, side by side but for the last along each axis."""
    return itertools.product(
        *(
            sorted({*range(0, extent - size + 1, size), extent - size})
            for extent, size in zip(shape, crop_size, strict=True)
        )
    )


class SampleNumbers(Sampler[int]):
    """Numbers of samples without end, from `start` on; a resumed run sets `start` to the samples already seen.

    Args:
        epoch_length: samples of an epoch, the sampler's length.
        start: the first number.
    """

    def __init__(self, epoch_length: int, start: int = 0) -> None:
        self.epoch_length = epoch_length
        self.start = start

    def __len__(self) -> int:
        return self.epoch_length

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.start)
