"""Training and validation crops, read lazily from opened volumes.

Samples are numbered. The place and the augmentation of a crop follow from the seed and the sample's number alone: they
are the same for any number of workers, and after a resume.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sectome.checks import InputError, check_choice, check_whole_number, check_whole_triple, check_within
from sectome.grid_places import Grid, even_places, labelled_places
from sectome.places import PLACES, LabelDensity, Places
from sectome.tissue import Data, Tissue, open_tissue
from sectome.transforms.augmentation import check_suits, reseed_all
from sectome.transforms.keywise import Keywise
from sectome.transforms.normaliser import Normaliser
from sectome.transforms.standardise_intensity import FittedStandardisation
from sectome.types import AXES

TRIES = 1000
"""Places to try for a sample before giving up. 100 would end a long training on a volume of which a tenth is tissue."""

Transform = Callable[[dict[str, Any]], dict[str, Any]]


class _Crops(Dataset):
    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        voxel_size_nm: Sequence[float] | None,
        labelled: bool,
        intensity: Normaliser | None,
        transform: Transform | None,
        resident_on: torch.device | str | None,
    ) -> None:
        # MONAI's tools look for the entries under this name.
        self.data = data
        self.crop_size = check_whole_triple(crop_size, "crop_size")
        self.transform = transform
        self.tissue = open_tissue(data, voxel_size_nm, labelled=labelled, intensity=intensity)
        for tissue in self.tissue:
            _say_thin_axes(tissue, self.crop_size)
        if resident_on is not None:
            _check_room(self.tissue, torch.device(resident_on))
            self.tissue = [tissue.on(resident_on) for tissue in self.tissue]
        for tissue in self.tissue:
            tissue.warn_of_decoding(tissue.shape[0])

    def _finish(self, crop: dict[str, Any]) -> dict[str, Any]:
        # Not `if self.transform`: MONAI's `Compose` reseeds its transforms when it is asked for its length.
        return crop if self.transform is None else self.transform(crop)


def _check_room(tissue: Sequence[Tissue], device: torch.device) -> None:
    """Raise an `InputError` if all volumes would take more than half of the free memory of a GPU."""
    needed = sum(one.nbytes for one in tissue)
    if device.type == "cuda" and needed > (free := torch.cuda.mem_get_info(device)[0]) / 2:
        raise InputError(
            f"resident volumes must take at most half of the GPU's free memory, got {needed / 2**30:.1f} GiB of "
            f"volumes and {free / 2**30:.1f} GiB free; set resident to false"
        )


class RandomCrops(_Crops):
    """Crops at random places of one or several volumes.

    Args:
        data: the volumes; see `Data`.
        crop_size: voxels of a crop (z, y, x). A thinner volume is extended by its mirror image, with a warning.
        length: crops per epoch.
        transform: applied to each crop, a dictionary of tensors (1, Z, Y, X).
        augmentation: applied after the transform, reseeded for each sample.
        augment_on_device: leave the augmentation to `sectome.training.PrepareBatch`, which applies it to a whole batch
            on its device; each sample then has an "augmentation_seed". If all volumes are uint8 and standardised, and
            `transform` leaves images alone, standardisation is left to it, too: images then stay uint8, a quarter of
            the data to transfer, and each sample has "standardisation", gain and offset (2,).
        voxel_size_nm: (z, y, x), for volumes whose files do not state it.
        labelled: whether every volume must have labels.
        intensity: how grey values are normalised; see `open_tissue`.
        places: where crops are drawn: anywhere in the "volume", near "labelled" voxels or near voxels of the
            "foreground"; see `LabelDensity`.
        max_empty: the largest share of voxels of value 0, such as padding, that a crop may have.
        resident_on: device that keeps all volumes in its memory, read once; None reads each crop from its file.
        seed: random seed of places and augmentation.

    Raises:
        InputError: if a volume cannot be used (see `open_tissue`) or has no such places, `max_empty` does not lie in
            0..1, the augmentation does not suit crops of this size, or resident volumes need over half of a GPU's free
            memory.
    """

    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        length: int,
        transform: Transform | None = None,
        augmentation: Compose | None = None,
        augment_on_device: bool = False,
        voxel_size_nm: Sequence[float] | None = None,
        labelled: bool = False,
        intensity: Normaliser | None = None,
        places: Places = "volume",
        max_empty: float = 1.0,
        resident_on: torch.device | str | None = None,
        seed: int = 0,
    ) -> None:
        # A percentage, such as 50, would let every crop pass.
        check_within(max_empty, 0, 1, "max_empty")
        super().__init__(data, crop_size, voxel_size_nm, labelled, intensity, transform, resident_on)
        if augmentation is not None:
            check_suits(augmentation, self.crop_size)
        self.length = length
        self.augmentation = augmentation
        self.augment_on_device = augment_on_device
        self.standardisations = _standardisations(self.tissue, transform) if augment_on_device else None
        self.max_empty = max_empty
        self.seed = seed
        weights = np.array([tissue.weight for tissue in self.tissue])
        cumulative = weights.cumsum()
        self.cumulative = cumulative / cumulative[-1]
        known, crop = check_choice(places, PLACES, "places"), self.crop_size
        self.densities = None if known == "volume" else [LabelDensity(one, crop, known) for one in self.tissue]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample `number`, a whole number from 0 on; numbers beyond the length belong to later epochs.

        Raises:
            InputError: if `TRIES` places in a row are too empty, or the voxels cannot be used (see `Tissue.read`).
        """
        random = np.random.default_rng((self.seed, number))
        for _ in range(TRIES):
            which = int(self.cumulative.searchsorted(random.random(), side="right"))
            tissue = self.tissue[which]
            start = self._draw_start(which, random)
            crop = tissue.read(start, self.crop_size, self.max_empty, raw=self.standardisations is not None)
            if crop is not None:
                break
        else:
            raise InputError(
                f"expected a crop with at most {self.max_empty:.0%} of voxels of value 0, got none in {TRIES} tries, "
                f"the last in {tissue.name}; use another volume or a greater max_empty"
            )
        sample = self._finish(crop)
        seed = int(random.integers(2**31))
        if self.augment_on_device:
            sample["augmentation_seed"] = seed
            if self.standardisations is not None:
                sample["standardisation"] = self.standardisations[which]
        elif self.augmentation is not None:
            reseed_all(self.augmentation, seed)
            sample = self.augmentation(sample)
        return sample

    def _draw_start(self, which: int, random: np.random.Generator) -> list[int]:
        if self.densities is not None:
            return self.densities[which].draw_start(random)
        room = [extent - size for extent, size in zip(self.tissue[which].shape, self.crop_size, strict=True)]
        return [int(random.integers(min(most, 0), max(most, 0) + 1)) for most in room]


def _standardisations(tissue: Sequence[Tissue], transform: Transform | None) -> list[Tensor] | None:
    """Return gain and offset for each volume if standardisation can be left to the device, else None."""
    steps = transform.transforms if isinstance(transform, Compose) else [transform]
    left_alone = all(step is None or (isinstance(step, Keywise) and "image" not in step.keys) for step in steps)
    fitted = [one.intensity for one in tissue if one.image.dtype == np.uint8]
    found = [one.as_contrast() for one in fitted if isinstance(one, FittedStandardisation)]
    return found if left_alone and len(found) == len(tissue) else None


class GridCrops(_Crops):
    """Crops on a fixed grid that covers the volumes; the last crop along an axis ends at the border.

    Args:
        data: the volumes; see `Data`.
        crop_size: voxels of a crop (z, y, x). A thinner volume is extended by its mirror image, with a warning.
        transform: applied to each crop; should not be random.
        voxel_size_nm: (z, y, x), for volumes whose files do not state it.
        labelled: whether every volume must have labels. Places without a known label are then left out, because their
            undefined loss would count as 0.
        intensity: how grey values are normalised; see `open_tissue`.
        limit: maximum number of crops, spread evenly over the grid; 0 takes all.
        instead: volumes to use, with a warning, if `data` lists none: an annotator may have a single volume.

    Raises:
        InputError: if a volume cannot be used (see `open_tissue`), no known label is found (see `labelled_places`), or
            the limit is not a whole number from 0 on.
    """

    def __init__(
        self,
        data: Data,
        crop_size: Sequence[int],
        transform: Transform | None = None,
        voxel_size_nm: Sequence[float] | None = None,
        labelled: bool = False,
        intensity: Normaliser | None = None,
        limit: int = 0,
        instead: Data | None = None,
    ) -> None:
        if not data and instead:
            warnings.warn(
                "no volume is left for validation: the volumes of the training are used", UserWarning, stacklevel=2
            )
            data = instead
        super().__init__(data, crop_size, voxel_size_nm, labelled, intensity, transform, resident_on=None)
        check_whole_number(limit, 0, "limit")
        grid = Grid(self.tissue, self.crop_size)
        self.places = labelled_places(grid, self.crop_size, limit) if labelled else even_places(grid, limit)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the crop at a place of the grid."""
        tissue, start = self.places[index]
        crop = tissue.read(start, self.crop_size)
        assert crop is not None
        return self._finish(crop)


class WholeVolumes(Dataset):
    """Whole volumes, one per sample, for evaluation.

    Args:
        data: the volumes; see `Data`.
        voxel_size_nm: (z, y, x), for volumes whose files do not state it.
        labelled: whether every volume must have labels.
        intensity: how grey values are normalised; see `open_tissue`.
    """

    def __init__(
        self,
        data: Data,
        voxel_size_nm: Sequence[float] | None = None,
        labelled: bool = False,
        intensity: Normaliser | None = None,
    ) -> None:
        self.data = data
        self.tissue = open_tissue(data, voxel_size_nm, labelled=labelled, intensity=intensity)

    def __len__(self) -> int:
        return len(self.tissue)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return tensors (1, Z, Y, X) of one volume."""
        return self.tissue[index].read_whole()


def _say_thin_axes(tissue: Tissue, crop_size: Sequence[int]) -> None:
    for axis, size, extent in zip(AXES, crop_size, tissue.shape, strict=True):
        if size > extent:
            warnings.warn(
                f"{tissue.name} has {extent} voxels along {axis}, and a crop has {size}: beyond the volume, the image "
                "is mirrored and nothing is labelled",
                UserWarning,
                stacklevel=4,
            )


class SampleNumbers(Sampler[int]):
    """Endless sample numbers from `start` on; a resumed run sets `start` to the number of samples already seen.

    Each of n processes takes every n-th number, so that their batches together equal the n times larger batch of a
    single process.

    Args:
        epoch_length: samples per epoch and process, the sampler's length.
        start: first number of process 0.
        process: index of this process, from 0 on.
        processes: number of processes.
    """

    def __init__(self, epoch_length: int, start: int = 0, process: int = 0, processes: int = 1) -> None:
        self.epoch_length = epoch_length
        self.start = start
        self.process = process
        self.processes = processes

    def __len__(self) -> int:
        return self.epoch_length

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.start + self.process, self.processes)
