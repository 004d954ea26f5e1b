"""Base of all random transforms: parameters are drawn for one crop, then applied to it or to a batch of crops."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import Compose, Randomizable, RandomizableTransform
from monai.utils import MAX_SEED
from torch import Tensor

from sectome.checks import InputError, check_chance
from sectome.transforms.any_array import as_tensor
from sectome.transforms.keywise import Keyed
from sectome.types import Shape3

Parameters = dict[str, Any]
"""Values drawn for one crop: numpy arrays and numbers by name, of the same shapes for all crops of a size."""

_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
"""Signed types that torch can move, by the unsigned types of the same width that it cannot."""


def as_signed(images: Tensor) -> Tensor:
    """Return images of a multi-byte unsigned type as a signed view, which torch can move, and others unchanged."""
    return images.view(_SIGNED.get(images.dtype, images.dtype))


def reseed(transform: Randomizable, seed: int) -> None:
    """Seed a transform, to draw the same numbers as after MONAI's `set_random_state(seed)`.

    MONAI makes a new generator, which takes forty times as long as seeding one, and longer than to change a crop.
    """
    if "R" not in vars(transform):
        transform.R = np.random.RandomState()
    transform.R.seed(seed % MAX_SEED)


def reseed_all(augmentation: Compose, seed: int) -> None:
    """Seed the transforms of a `Compose` like MONAI's `augmentation.set_random_state(seed)`; see `reseed`."""
    reseed(augmentation, seed)
    for transform in augmentation.transforms:
        if isinstance(transform, Randomizable):
            transform.set_random_state(seed=int(augmentation.R.randint(MAX_SEED, dtype="uint32")))


class Augmentation(RandomizableTransform):
    """A random transform of crops (C, Z, Y, X).

    A subclass implements `draw`, which draws the parameters of a crop, and `function`, which applies them to a batch. A
    single crop is a batch of one. So a crop changes in the same way in a worker and, with its own parameters, in a
    batch on a GPU.

    Args:
        prob: probability of applying it.

    Raises:
        InputError: if the probability is not between 0 and 1.
    """

    function: ClassVar[Callable[..., Tensor]]
    """Function that `apply` calls with a batch and, by name, the parameters from `draw`."""

    grey_only: ClassVar[bool] = False
    """Whether this changes grey values in place; it would turn labels into other labels."""

    voxelwise: ClassVar[bool] = False
    """Whether a voxel's new value does not depend on its position, so that voxels may be moved first."""

    moves_voxels: ClassVar[bool] = False
    """Whether voxels only change places and keep their values, whatever their type."""

    labels_may_stay: ClassVar[bool] = False
    """Whether this may move the image without its labels, for the network to learn to see through it."""

    neutral: ClassVar[Parameters | None] = None
    """Parameters that leave a crop unchanged, if applying them is cheaper than selecting the other crops of a batch."""

    def __init__(self, prob: float) -> None:
        RandomizableTransform.__init__(self, check_chance(prob, type(self).__name__))
        self.parameters: Parameters | None = None

    @abstractmethod
    def draw(self, shape: Shape3) -> Parameters:
        """Draw the parameters for a crop of (Z, Y, X) voxels from `self.R`."""

    def apply(self, images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the changed batch as a new tensor.

        Args:
            images: (B, C, Z, Y, X) on any device.
            parameters: values drawn for each of the B crops, stacked, on the CPU.
        """
        return self.function(images, **parameters)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Augmentation:
        """Seed the generator; MONAI's transforms draw the same numbers after the same call."""
        if seed is None:
            super().set_random_state(seed, state)
        else:
            reseed(self, seed)
        return self

    def randomize(self, shape: Sequence[int]) -> None:
        """Draw whether to change a crop of this shape (..., Z, Y, X), and the parameters."""
        super().randomize(None)
        z, y, x = (int(length) for length in shape[-3:])
        self.parameters = self.draw((z, y, x)) if self._do_transform else None

    def __call__(self, image: Any, randomize: bool = True) -> Tensor:
        """Return the crop (C, Z, Y, X), changed by new parameters or by those of the last draw.

        Raises:
            InputError: if `image` is a dictionary or does not have four axes, or if grey values of an integer tensor
                would change.
        """
        if isinstance(image, Mapping):
            name = type(self).__name__
            raise InputError(f"{name} expected a crop (C, Z, Y, X), got a dictionary of crops; use {name}d instead")
        image = as_tensor(image)
        if image.ndim != 4:
            raise InputError(f"{type(self).__name__} expected a crop (C, Z, Y, X), got shape {tuple(image.shape)}")
        if randomize:
            self.randomize(image.shape)
        if self.parameters is None:
            return image
        return self.apply_each(image[None], [self.parameters])[0]

    def apply_each(self, images: Tensor, drawn: Sequence[Parameters]) -> Tensor:
        """Return the batch (B, C, Z, Y, X), each crop changed by its own parameters.

        Raises:
            InputError: if grey values of an integer tensor would change.
        """
        if self.grey_only and not images.is_floating_point():
            raise InputError(
                f"{type(self).__name__} changes grey values and expected floats, got {images.dtype}; are these labels?"
            )
        stacked = {name: np.stack([np.asarray(one[name]) for one in drawn]) for name in drawn[0]}
        parameters = {name: _parameter(values) for name, values in stacked.items()}
        return self.apply(as_signed(images), parameters).view(images.dtype)


class Augmentationd(RandomizableTransform, Keyed):
    """Dictionary version of an augmentation: one draw for all keys, so that image and labels stay registered."""

    transform: Augmentation

    def __init__(self, keys: KeysCollection, *arguments: Any, allow_missing_keys: bool = False, **options: Any) -> None:
        Keyed.__init__(self, keys, *arguments, allow_missing_keys=allow_missing_keys, **options)
        RandomizableTransform.__init__(self, 1.0)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> Augmentationd:
        """Seed the array transform, which draws the parameters."""
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply the same draw to each key."""
        result = dict(data)
        present = list(self.key_iterator(result))
        if present:
            self.transform.randomize(result[present[0]].shape)
        for key in present:
            result[key] = self.transform(result[key], randomize=False)
        return result


def check_suits(augmentation: Compose, crop_size: Shape3) -> None:
    """Raise an `InputError` if an augmentation cannot take crops of this size (Z, Y, X), before any crop is read."""
    for one in _augmentations(augmentation):
        # On a copy: the transform's random state must not change.
        copy.deepcopy(one.transform).set_random_state(seed=0).draw(crop_size)


def check_labels_move(augmentation: Compose) -> None:
    """Raise an `InputError` if an augmentation would move the image without its labels, or labels without their image.

    Args:
        augmentation: transforms of crops with an "image" and a "label"; only `Augmentationd`s are checked.
    """
    for one in _augmentations(augmentation):
        if one.transform.grey_only or one.transform.labels_may_stay:
            continue
        if ("image" in one.keys) != ("label" in one.keys):
            keys = ", ".join(map(str, one.keys))
            raise InputError(f"{type(one).__name__} moves tissue: its keys must be both image and label, got {keys}")


def _augmentations(augmentation: Compose) -> Iterator[Augmentationd]:
    """Yield the augmentations of a `Compose`, including nested ones, as in a `OneOf` of defects."""
    for one in augmentation.transforms:
        if isinstance(one, Compose):
            yield from _augmentations(one)
        elif isinstance(one, Augmentationd):
            yield one


def _parameter(values: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.float() if tensor.is_floating_point() else tensor
