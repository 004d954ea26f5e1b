"""A check of `monai.bundle.load`, which returns a network with random weights if no names of weights match."""

from __future__ import annotations

import inspect
from pathlib import Path
from traceback import walk_stack

from monai.bundle import ConfigWorkflow, load
from monai.networks.utils import copy_model_state

from sectome.checks import InputError


def check_loaded_weights(workflow: ConfigWorkflow, folder: Path) -> None:
    """Raise an `InputError` if `monai.bundle.load` is about to return a network that keeps some of its random weights.

    Args:
        workflow: the workflow being initialised; nothing is checked unless `load` initialises it.
        folder: folder of the bundle.
    """
    frame = next((frame for frame, _ in walk_stack(inspect.currentframe()) if frame.f_code is load.__code__), None)
    if frame is None:
        return
    # Local variables of `load` in MONAI 1.6: the file's content, the model's key in it, and how weights will be copied.
    names = frame.f_locals
    weights, key, how = (names.get(name) for name in ("model_dict", "key_in_ckpt", "copy_model_args"))
    if weights is None or (how and {"mapping", "exclude_vars", "filter_func"} & set(how)):
        return
    source = weights if key is None else weights.get(key, {})
    network = workflow.parser.get_parsed_content("network_def")
    _, _, left = copy_model_state(network, source, **{**(how or {}), "inplace": False})
    if left:
        raise InputError(
            f"monai.bundle.load must be told where the weights of {names.get('full_path')} belong, got arguments that "
            f"leave {len(left)} of {len(network.state_dict())} untrained; {folder / 'docs/README.md'} says which to "
            "give ('From Python')"
        )
