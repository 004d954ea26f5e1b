"""What dictionary transforms share, and the dictionary version of a transform that is not random."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from sectome.checks import InputError


class Keyed(MapTransform):
    """MONAI's `MapTransform`, with a user's mistake in place of a `KeyError`."""

    def key_iterator(self, data: Mapping[Hashable, Any], *extra_iterables: Any) -> Generator:
        """Yield the keys that a sample has.

        Raises:
            InputError: if one is not there, and none may be missing.
        """
        if not self.allow_missing_keys:
            for key in self.keys:
                if key not in data:
                    name, there = type(self).__name__, ", ".join(map(str, data))
                    raise InputError(f"keys of {name} must be among those of a sample ({there}), got {key}")
        return super().key_iterator(data, *extra_iterables)


class Keywise(Keyed):
    """Apply a transform to each key by itself."""

    def __init__(
        self, keys: KeysCollection, transform: Callable[[Tensor], Tensor], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = transform

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a new dictionary with its keys changed."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key])
        return result
