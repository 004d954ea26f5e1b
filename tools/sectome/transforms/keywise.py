"""Dictionary versions of transforms: they take the options of the array version and change keys of a sample."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Hashable, Mapping
from typing import Any, ClassVar

from monai.config import KeysCollection
from monai.transforms import MapTransform

from sectome.checks import InputError


class Keyed(MapTransform):
    """MONAI's `MapTransform` around an array transform, the class argument `of`: `class Foldd(Augmentationd, of=Fold)`.

    Args:
        keys: keys of a sample to change.
        arguments: passed to the array transform, like `options`.
        allow_missing_keys: whether a sample may lack some of the keys.
    """

    array_transform: ClassVar[Callable[..., Any]]
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, of: type | None = None) -> None:
        super().__init_subclass__()
        if of is not None:
            cls.array_transform = of
            cls.__signature__ = _with_options(inspect.signature(cls.__init__), inspect.signature(of))

    def __init__(self, keys: KeysCollection, *arguments: Any, allow_missing_keys: bool = False, **options: Any) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = self.array_transform(*arguments, **options)

    def key_iterator(self, data: Mapping[Hashable, Any], *extra_iterables: Any) -> Generator:
        """Yield this transform's keys that the sample has.

        Raises:
            InputError: if a key is missing and `allow_missing_keys` is false.
        """
        if not self.allow_missing_keys:
            for key in self.keys:
                if key not in data:
                    name, there = type(self).__name__, ", ".join(map(str, data))
                    raise InputError(f"keys of {name} must be among those of a sample ({there}), got {key}")
        return super().key_iterator(data, *extra_iterables)


class Keywise(Keyed):
    """Apply a transform that is not random to each key separately."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a new dictionary with this transform's keys changed."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key])
        return result


def _with_options(own: inspect.Signature, options: inspect.Signature) -> inspect.Signature:
    """Return the signature of a dictionary version, against which config keys are checked."""
    _, *named = own.parameters.values()
    named = [one for one in named if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return inspect.Signature(sorted([*named, *options.parameters.values()], key=lambda one: one.kind))
