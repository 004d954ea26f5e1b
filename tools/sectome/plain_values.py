"""Values of a config as JSON has them, whoever gave them: the command line leaves words, Python its own objects."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from monai.bundle import ConfigParser

from sectome.config_places import leaves

JSON_WORDS = {"true": True, "false": False, "null": None}
"""Values of options that MONAI's runner leaves as text, which is true whatever it says."""


def take_plain_values(parser: ConfigParser) -> None:
    """Replace true, false and null of the command line, and paths, numbers and arrays of Python, by what JSON has.

    Args:
        parser: holds the merged config, which is changed.
    """
    plain = {place: new for place, value in leaves(parser.get()) if (new := _plain(value)) is not value}
    for place, value in plain.items():
        parser[place] = value
    if plain:
        # A change makes the parser forget what it has parsed, and it is in the middle of using that.
        parser.parse(reset=True)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return JSON_WORDS.get(value, value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
