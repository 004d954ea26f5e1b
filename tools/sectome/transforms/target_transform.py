"""Base of all target transforms: they turn labels into targets with validity masks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import torch
from monai.config import KeysCollection
from monai.transforms import Transform
from torch import Tensor

from sectome.checks import InputError
from sectome.transforms.keywise import Keyed


class TargetTransform(Transform):
    """Turn label crops (1, Z, Y, X) into K channels of targets and K of validity masks."""

    @abstractmethod
    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets and validity masks, both (K, Z, Y, X), of labels (Z, Y, X)."""

    def __call__(self, labels: Tensor) -> Tensor:
        """Return (2 K, Z, Y, X): the targets, then their validity masks."""
        return torch.cat(self._targets_of_crop(labels))

    def _targets_of_crop(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        if labels.ndim != 4 or len(labels) != 1:
            raise InputError(f"{type(self).__name__} expected labels (1, Z, Y, X), got shape {tuple(labels.shape)}")
        return self.targets(labels[0])


class TargetTransformd(Keyed):
    """Dictionary version of a target transform: it keeps each key and adds two beside it.

    Args:
        keys: keys of the labels.
        arguments: passed to the array transform, like `options`.
        postfix: end of the new keys: "label" and "_affinities" give "label_affinities" for the K targets, and
            "label_affinities_valid" for their K validity masks. None is the transform's own postfix.
        allow_missing_keys: whether a sample may lack some of the keys.
    """

    own_postfix: ClassVar[str]
    """Default postfix."""

    def __init__(
        self,
        keys: KeysCollection,
        *arguments: Any,
        postfix: str | None = None,
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, *arguments, allow_missing_keys=allow_missing_keys, **options)
        self.postfix = self.own_postfix if postfix is None else postfix
        if not self.postfix:
            raise InputError(f"postfix of {type(self).__name__} must not be empty: the labels would be overwritten")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a new dictionary with targets beside each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            name = f"{key}{self.postfix}"
            result[name], result[f"{name}_valid"] = self.transform._targets_of_crop(result[key])
        return result
