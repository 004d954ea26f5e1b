"""Checks for MONAI's bundle runner, which ignores misspelt keys and buries a user's mistake under a traceback.

Each config of this project calls `prepare` first in its `initialize` list.
"""

from __future__ import annotations

import inspect
import os
import pydoc
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from traceback import walk_stack
from types import TracebackType
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.properties import InferProperties, MetaProperties, TrainProperties

from sectome.bundle_folder import bundle_folder, find_bundle
from sectome.bundle_tracking import TRACKING_KEYS, take_over_tracking
from sectome.checks import EXIT_CODE, INTERRUPTED, InputError, is_full
from sectome.config_places import SEPARATOR, check_references, check_sections, declared_places, texts, written
from sectome.did_you_mean import did_you_mean
from sectome.json_object import read_json_object
from sectome.loaded_weights import check_loaded_weights
from sectome.plain_values import take_plain_values

COMPONENT_KEYS = {"_target_", "_requires_", "_disabled_", "_desc_", "_mode_"}
"""Keys that MONAI itself reads in a component."""

RUN_KEYS = {"imports", "initialize", "run", "finalize", "_meta_", "save_execute_config"}
"""Top-level keys that MONAI's runner reads."""

PROPERTIES = {**TrainProperties, **InferProperties, **MetaProperties}
"""Config entries that MONAI's workflows read; "id" is the place."""

RUN_OPTIONS = {"run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file"}
"""Options of MONAI's runner besides config keys; a misspelt one is taken for a config key."""

FOLDERS = ("dataset_dir", "output_dir", "ckpt_dir")
"""Keys that name a folder."""

VOLUMES = ("train_data", "val_data", "test_data", "datalist")
"""Keys that list volumes."""


def prepare() -> None:
    """Refuse unknown config keys, and let an `InputError` end the program with its sentence and exit code 2.

    Ctrl-C also ends it with one sentence, and with exit code 130.

    The bundle is found from any working directory, see `find_bundle`. The words true, false and null become values, see
    `take_plain_values`. Tracking is set up if the run asks for it, see `take_over_tracking`.

    Raises:
        InputError: if nothing uses a key, a component does not take it, or a module has no such component; the message
            names the nearest known one. Also if an option belongs to another workflow, a folder is no path, volumes are
            no list, this machine lacks the device, `monai.bundle.load` would leave weights untrained, or MLflow is
            needed but not installed.
    """
    sys.excepthook = _end_with_a_sentence
    workflow = _running_workflow()
    if workflow is not None:
        find_bundle(workflow)
        take_plain_values(workflow.parser)
        check_keys(workflow.parser, workflow.config_root_path)
        check_idle_options(workflow.parser, workflow.config_root_path)
        check_folders(workflow.parser)
        check_volumes(workflow.parser)
        check_named_device(workflow.parser)
        check_loaded_weights(workflow, bundle_folder(workflow))
        take_over_tracking(workflow.parser)


def data_folder(name: str) -> str:
    """Return the folder of a data set inside the folder that the environment variable SECTOME_DATA names.

    Raises:
        InputError: if the variable is not set, or there is no such folder.
    """
    root = os.environ.get("SECTOME_DATA")
    if not root:
        raise InputError(f"SECTOME_DATA must name the folder that holds {name}, got none; set it or give --dataset_dir")
    if not os.path.isdir(folder := os.path.join(root, name)):
        raise InputError(
            f"SECTOME_DATA must name the folder that holds {name}, got {root}; change it or give --dataset_dir"
        )
    return folder


def in_monai_label() -> bool:
    """Return whether MONAI Label runs this training, in its process or, on several GPUs, by a config that it wrote."""
    return "monailabel" in sys.modules or any("monailabel_train.json" in word for word in sys.argv)


def check_keys(parser: ConfigParser, config_root: Path) -> None:
    """Raise an `InputError` for the first config key that has no effect, or reference to a key that does not exist.

    Args:
        parser: holds the merged config.
        config_root: folder of the bundle's own configs. A key that one of them declares is valid for all, so that a
            data set's overlay can serve training, evaluation and inference.
    """
    config: Mapping[str, Any] = parser.get()
    known = keys_read(config).union(*_own_keys(config_root).values())
    for key in config:
        if key in TRACKING_KEYS and key not in known:
            raise InputError(f"--{key} must be given with --tracking mlflow, got it without")
        if key not in known:
            near = {*known, *config, *RUN_OPTIONS, *TRACKING_KEYS} - {key}
            raise InputError(f"unknown config key {key!r}{did_you_mean(key, sorted(near))}")
    declared = declared_places(config_root)
    check_references(parser, declared)
    check_sections(parser, declared, {entry["id"] for entry in PROPERTIES.values()})
    for place, target in texts(config):
        component, _, key = place.rpartition(SEPARATOR)
        if key == "_target_" and not _is_expression(target):
            _check_component(parser, written(component), target, parser[component])


def keys_read(config: Mapping[str, Any]) -> set[str]:
    """Return the top-level keys that MONAI reads or that a value of a merged config refers to."""
    read = RUN_KEYS | {top_key(entry["id"]) for entry in PROPERTIES.values()}
    return read | {name for _, text in texts(config) for name in re.findall(r"[@%](\w+)", text)}


def check_idle_options(parser: ConfigParser, config_root: Path) -> None:
    """Raise an `InputError` for a command-line option that only other workflows of the bundle read.

    A data set's overlay may have such keys, since it serves all workflows. An evaluation adds a config to those of the
    training, so it takes the training's options.

    Args:
        parser: holds the merged config.
        config_root: folder of the bundle's own configs.
    """
    config: Mapping[str, Any] = parser.get()
    typed = {top_key(word.removeprefix("--").partition("=")[0]) for word in sys.argv if word.startswith("--")}
    own = {path.name: keys for path, keys in _own_keys(config_root).items()}
    of_this_run = {key for name, keys in own.items() for key in keys if any(name in word for word in sys.argv)}
    for key in sorted(typed.intersection(config) - keys_read(config) - of_this_run - set(TRACKING_KEYS)):
        of = [f"configs/{name}" for name, keys in own.items() if key in keys]
        raise InputError(f"--{key} does nothing in this run: it is an option of {' and '.join(of)}")


def _own_keys(config_root: Path) -> dict[Path, set[str]]:
    """Return the top-level keys of each of the bundle's own configs, without the overlays, which lie in folders."""
    paths = sorted({*config_root.glob("*.json")} - {config_root / "metadata.json"})
    return {path: {top_key(key) for key in read_json_object(path, "a config")} for path in paths}


def check_folders(parser: ConfigParser) -> None:
    """Raise an `InputError` for a folder that is no path: MONAI's command line turns 2024 into a number.

    Args:
        parser: holds the merged config.
    """
    config: Mapping[str, Any] = parser.get()
    for name in FOLDERS:
        if not isinstance(folder := config.get(name, ""), (str, os.PathLike)):
            raise InputError(f"{name} must be a path, got {folder!r}; write ./ before a name that looks like a number")


def check_volumes(parser: ConfigParser) -> None:
    """Raise an `InputError` for volumes that are not a list of entries.

    Args:
        parser: holds the merged config; computed lists and computed entries are not checked.
    """
    config: Mapping[str, Any] = parser.get()
    for name in VOLUMES:
        data = config.get(name, [])
        if _is_expression(data) or (isinstance(data, Mapping) and "_target_" in data):
            continue
        is_list = isinstance(data, Sequence) and not isinstance(data, str)
        if not is_list or not all(isinstance(entry, Mapping) or _is_expression(entry) for entry in data):
            raise InputError(f"{name} must be a list of volumes, such as [{{'image': 'cube.tif'}}], got {data!r}")


def check_named_device(parser: ConfigParser) -> None:
    """Raise an `InputError` if a config names a device that this machine lacks.

    Args:
        parser: holds the merged config; a device that an expression chooses is not checked.
    """
    name = parser.get().get("device")
    if isinstance(name, str) and not _is_expression(name):
        check_device(name)


def check_device(name: str) -> torch.device:
    """Return a device of this machine by its name, or raise an `InputError`.

    GPUs are only counted: allocating on one would take some hundred MiB of it, even in processes that only plan.
    """
    gpus = torch.cuda.device_count()
    try:
        device = torch.device(name)
        if device.type != "cuda":
            torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        device = None
    if device is None or (device.type == "cuda" and (device.index or 0) >= gpus):
        raise InputError(
            f"device must be one that this machine has, such as cpu or cuda:0, got {name!r} with {gpus} GPUs"
        )
    return device


def top_key(key: str) -> str:
    """Return the top-level key of an option: "train" for "train#trainer#max_epochs"."""
    return re.split("#|::", key)[0]


def _is_expression(value: Any) -> bool:
    """Return whether a config's value is computed or refers to another."""
    return isinstance(value, str) and value.startswith(("$", "@"))


def _check_component(parser: ConfigParser, place: str, name: str, component: Mapping[str, Any]) -> None:
    path = parser.locator.get_component_module_name(name)
    target = pydoc.locate(f"{path}.{name}" if isinstance(path, str) else name)
    if target is None:
        module, _, last = name.rpartition(".")
        # Each bundle has a package `scripts`, and the one that is imported may belong to another bundle.
        known = module and module.split(".")[0] != "scripts" and not component.get("_disabled_")
        if known and (there := pydoc.locate(module)) is not None:
            near = did_you_mean(last, dir(there))
            raise InputError(f"'{place}#_target_' must name something in {module}, got {name!r}{near}")
        return
    try:
        parameters = inspect.signature(target).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in component:
        if key not in parameters and key not in COMPONENT_KEYS:
            raise InputError(
                f"unknown config key '{place}#{key}': {name} does not take it{did_you_mean(key, parameters)}"
            )


def _running_workflow() -> ConfigWorkflow | None:
    """Find the workflow that is being initialised on the call stack, because a config's expressions cannot name it."""
    for frame, _ in walk_stack(inspect.currentframe()):
        if isinstance(workflow := frame.f_locals.get("self"), ConfigWorkflow):
            return workflow
    return None


def find_input_error(error: BaseException) -> InputError | None:
    """Return the user's mistake behind an error, if any: MONAI raises other errors on top of it."""
    return next((cause for cause in _causes(error) if isinstance(cause, InputError)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _end_with_a_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        said = "stopped; run the same command again to continue a training from its last checkpoint"
        print(said, file=sys.__stderr__, flush=True)
        raise SystemExit(INTERRUPTED)
    cause = find_input_error(error) or next(filter(is_full, _causes(error)), None)
    # A data loader's worker passes on only the text of its errors.
    sentence = re.search(rf"^{InputError.__module__}\.{InputError.__name__}: (.+)$", str(error), re.MULTILINE)
    if cause is None and sentence is None:
        sys.__excepthook__(kind, error, trace)
        return
    # Not `sys.stderr`: with several processes torch replaces it by a buffer for this hook, and drops that on exit.
    print(f"error: {cause or sentence[1]}", file=sys.__stderr__, flush=True)  # type: ignore[index]
    # A hook that raises SystemExit sets the exit code of the interpreter.
    raise SystemExit(EXIT_CODE)
