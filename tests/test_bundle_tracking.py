"""`--tracking mlflow`: MONAI's handlers give way to the project's tracker, and to nothing else."""

from __future__ import annotations

import copy
import json

import pytest
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from sectome.bundle_tracking import take_over_tracking
from sectome.checks import InputError

CONFIG = {
    "output_dir": "run",
    "ckpt_dir": "models",
    "trackers": ["first"],
    "train": {"trainer": {"a": 1}, "handlers": ["theirs"]},
    "validate": {"evaluator": {"a": 1}, "handlers": []},
    "save_execute_config": False,
}


@pytest.fixture
def installed(monkeypatch):
    """Let MLflow be there, or not."""

    def be(there):
        monkeypatch.setattr("sectome.checks.find_spec", lambda name: there or None)

    be(True)
    return be


def patched(settings=DEFAULT_MLFLOW_SETTINGS, **changes):
    parser = ConfigParser(copy.deepcopy({**CONFIG, **changes}))
    ConfigWorkflow.patch_bundle_tracking(parser, settings)
    return parser


def test_the_handlers_of_monai_become_one_tracker(installed):
    parser = patched(run_name="mine")
    take_over_tracking(parser)
    assert parser["train#handlers"] == ["theirs"]
    assert parser["validate#handlers"] == []
    first, tracker = parser["trackers"]
    assert (first, tracker["_target_"]) == ("first", "sectome.training.MLflowRun")
    assert parser.get_parsed_content("trackers#1#run_name") == "mine"
    assert parser.get_parsed_content("trackers#1#experiment_name") is None
    assert parser.get_parsed_content("trackers#1#tracking_uri").endswith("/run/mlruns.db")
    assert json.loads(parser.get_parsed_content("trackers#1#config"))["train"]["handlers"] == ["theirs"]


def test_an_experiment_that_is_named_is_that_of_the_tracker(installed):
    parser = patched(experiment_name="neurons")
    take_over_tracking(parser)
    assert parser.get_parsed_content("trackers#1#experiment_name") == "neurons"


def test_a_run_that_is_not_tracked_or_by_settings_of_its_own_stays_as_it_is(installed):
    installed(False)
    parser = ConfigParser(copy.deepcopy(CONFIG))
    take_over_tracking(parser)
    assert parser["trackers"] == ["first"]
    own = copy.deepcopy(DEFAULT_MLFLOW_SETTINGS)
    for engine in ("trainer", "validator", "evaluator"):
        own["configs"][engine]["tag_name"] = "mine"
    parser = patched(own)
    take_over_tracking(parser)
    assert parser["trackers"] == ["first"]
    assert parser["train#handlers"][1]["tag_name"] == "mine"


def test_a_config_without_trackers_keeps_the_handlers_of_monai(installed):
    parser = patched()
    del parser.config["trackers"]
    take_over_tracking(parser)
    assert parser["train#handlers"][1]["_target_"] == "MLFlowHandler"


def test_without_mlflow_a_sentence_says_what_to_install(installed):
    installed(False)
    with pytest.raises(InputError, match=r"not installed: pip install 'sectome\[track\]'"):
        take_over_tracking(patched())
