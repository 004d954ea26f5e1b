"""Loading of weights from a file into a network, with a clear message if they do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sectome.checks import InputError, first_line


def load_plain_tensors(path: str | Path, what: str) -> Any:
    """Return the content of a file that torch can load without running code.

    Args:
        path: the file.
        what: what the file should be, for the message, such as "a checkpoint".

    Raises:
        InputError: if the file is missing, or holds anything but plain tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected {what} at {path}, got no such file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path} must be {what} that torch can load as plain tensors, got: {first_line(error)}"
        ) from None


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """Return the model's state in a checkpoint: the file's "model" entry, or the whole file.

    Raises:
        InputError: if the file is missing or is no checkpoint of plain tensors.
    """
    content = load_plain_tensors(path, "a checkpoint")
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} must hold a model's state (names to tensors), got {type(state).__name__}")
    return state


def take_whole_checkpoint(module: nn.Module, state: dict[str, Any], *_: Any) -> None:
    """Let `load_state_dict` accept the whole content of a checkpoint, as MONAI's exports pass it, or a model's state.

    A hook for `register_load_state_dict_pre_hook`.
    """
    if isinstance(state.get("model"), Mapping):
        state.update(state.pop("model"))


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state into a module; every key and every shape must agree.

    Raises:
        InputError: naming the first missing, unexpected or reshaped key, and how many more there are.
    """
    own = module.state_dict()
    faults = [f"{key} is missing" for key in own if key not in state]
    faults += [f"{key} is not expected" for key in state if key not in own]
    faults += [
        f"{key} must have shape {tuple(own[key].shape)}, got {tuple(state[key].shape)}"
        for key in own
        if key in state and own[key].shape != state[key].shape
    ]
    if faults:
        more = f" ({len(faults) - 1} more keys differ)" if len(faults) > 1 else ""
        raise InputError(
            f"{source} does not fit the network: {faults[0]}{more}; compare depth, width, patch size and kind of "
            "network"
        )
    module.load_state_dict(state, strict=True)
