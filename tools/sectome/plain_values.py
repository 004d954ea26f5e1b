"""Conversion of config values to JSON's: the command line gives words, and Python callers give Python objects."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from monai.bundle import ConfigParser

from sectome.config_places import leaves

JSON_WORDS = {"true": True, "false": False, "null": None}
"""Option values that MONAI's runner leaves as text, which would always count as true."""


def take_plain_values(parser: ConfigParser) -> None:
    """Replace the command line's words true, false and null, and paths and NumPy values, by JSON values.

    Args:
        parser: holds the merged config, which is changed.
    """
    plain = {place: new for place, value in leaves(parser.get()) if (new := _plain(value)) is not value}
    for place, value in plain.items():
        parser[place] = value
    if plain:
        # A change discards the parsed content, which the parser is using at this moment.
        parser.parse(reset=True)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return JSON_WORDS.get(value, value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
