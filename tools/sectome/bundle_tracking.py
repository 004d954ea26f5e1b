"""MONAI's `--tracking mlflow`, with this project's tracker in place of MONAI's handlers."""

from __future__ import annotations

import json
from typing import Final

from monai.bundle import ConfigParser
from monai.bundle.utils import DEFAULT_HANDLERS_ID, DEFAULT_MLFLOW_SETTINGS

from sectome.checks import check_installed

TRACKING_KEYS: Final = ("tracking_uri", "experiment_name", "run_name")
"""Config keys that MONAI adds for `--tracking mlflow`, and that users override."""

PLACE: Final = "trackers"
"""Config key of the list of trackers."""


def take_over_tracking(parser: ConfigParser) -> None:
    """Replace the handlers that MONAI has added for `--tracking mlflow` by a `sectome.training.MLflowRun`.

    A config without trackers keeps MONAI's handlers, and so does a run whose `--tracking` names other settings.

    Args:
        parser: holds the merged config, which is changed.

    Raises:
        InputError: if MLflow is asked for and not installed.
    """
    added = [DEFAULT_MLFLOW_SETTINGS["configs"][engine] for engine in DEFAULT_HANDLERS_ID]
    lists = [ids["handlers"] for ids in DEFAULT_HANDLERS_ID.values() if isinstance(parser.get(ids["handlers"]), list)]
    asked = [place for place in lists if any(handler in added for handler in parser[place])]
    if not asked:
        return
    check_installed("mlflow", "--tracking mlflow", "track")
    if PLACE not in parser:
        return
    for place in asked:
        parser[place] = [handler for handler in parser[place] if handler not in added]
    config = json.dumps({key: value for key, value in parser.get().items() if key != "_meta_"}, indent=4, default=str)
    # MONAI's default name counts as none, so that a resumed or evaluated run stays in its own experiment.
    default = parser["experiment_name"] == DEFAULT_MLFLOW_SETTINGS["configs"]["experiment_name"]
    tracker = {
        "_target_": "sectome.training.MLflowRun",
        "output_dir": "@output_dir",
        "ckpt_dir": "@ckpt_dir",
        **{key: f"@{key}" for key in TRACKING_KEYS},
        **({"experiment_name": None} if default else {}),
        "config": config,
    }
    parser[PLACE] = [*parser[PLACE], tracker]
    # A change discards the parsed content, which the parser is using at this moment.
    parser.parse(reset=True)
