"""Words of the command line, paths, and numbers of numpy in a config are what JSON has for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from monai.bundle import ConfigParser

from sectome.plain_values import take_plain_values


def test_words_of_json_are_what_they_mean_there_and_other_text_stays():
    parser = ConfigParser({"a": "true", "b": {"c": ["null", "False", 1]}, "d": "false", "e": "$true", "f": "@d"})
    parser.get_parsed_content("f")
    take_plain_values(parser)
    assert parser.get() == {"a": True, "b": {"c": [None, "False", 1]}, "d": False, "e": "$true", "f": "@d"}
    assert parser.get_parsed_content("f") is False


def test_paths_of_python_are_their_text():
    parser = ConfigParser(
        {"output_dir": Path("runs") / "a", "train_data": [{"image": Path("b.tif")}], "c": "$@output_dir + '/c'"}
    )
    take_plain_values(parser)
    assert parser.get("train_data") == [{"image": "b.tif"}]
    assert parser.get_parsed_content("c") == "runs/a/c"


def test_numbers_of_numpy_are_those_of_json():
    parser = ConfigParser({"epochs": np.int64(3), "crop_size": np.array([8, 32, 32]), "rates": [np.float32(0.5)]})
    take_plain_values(parser)
    assert json.loads(json.dumps(parser.get())) == {"epochs": 3, "crop_size": [8, 32, 32], "rates": [0.5]}
