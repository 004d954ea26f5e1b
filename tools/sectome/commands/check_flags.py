"""Checks of a command line before its command runs: fire would run the command first and complain afterwards."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sectome.checks import InputError, check_switches
from sectome.did_you_mean import nearest_or_all

TRUTHS: Mapping[str, Any] = {"true": True, "True": True, "false": False, "False": False}
"""Words of a command line that mean true or false."""


def check_flags(commands: Mapping[str, Callable[..., Any]], arguments: Sequence[str]) -> None:
    """Raise an `InputError` for an unknown command, flag or argument, a missing value or a switch that is no boolean.

    Args:
        commands: the functions passed to fire, by command name.
        arguments: the command line without the program's name. Words after a lone `--` are for fire itself.
    """
    words = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if not words or _is_flag(words[0]):
        return
    name = words.pop(0)
    if name not in commands:
        raise InputError(f"unknown command {name!r}{nearest_or_all(name, commands)}")
    signature = inspect.signature(commands[name]).parameters
    flags = [key for key, parameter in signature.items() if parameter.kind is not parameter.VAR_POSITIONAL]
    given: set[str] = set()
    places: list[str] = []
    while words:
        word = words.pop(0)
        if not _is_flag(word):
            places.append(word)
            continue
        has_value = "=" not in word and bool(words) and not _is_flag(words[0])
        key = _parameter(name, word, flags, has_value or "=" in word)
        given.add(key)
        value = words.pop(0) if has_value else word.partition("=")[2] if "=" in word else None
        if key not in flags:
            continue
        is_switch = str(signature[key].annotation).startswith("bool")
        if value is None and not is_switch:
            raise InputError(f"sectome {name} expected a value after {word}, got none")
        if value is not None and is_switch:
            check_switches(**{key: TRUTHS.get(value, value)})
    free = [key for key in flags if key not in given]
    if len(flags) == len(signature) and len(places) > len(free):
        raise InputError(f"sectome {name} takes no more arguments, got {places[len(free)]!r}")


def _parameter(command: str, word: str, flags: Sequence[str], has_value: bool) -> str:
    """Return the parameter that fire matches with a flag: its name, its first letter, or its name after "no"."""
    key = word.lstrip("-").partition("=")[0].replace("-", "_")
    if key in flags or key in ("help", "h"):
        return key
    if not has_value and key.startswith("no") and key[2:] in flags:
        return key[2:]
    short = [flag for flag in flags if flag[0] == key]
    if len(short) == 1:
        return short[0]
    hint = nearest_or_all(f"--{key}", [f"--{flag}" for flag in flags])
    raise InputError(f"sectome {command} has no flag {word.partition('=')[0]!r}{hint}")


def _is_flag(word: str) -> bool:
    return re.match(r"--|-[a-zA-Z]", word) is not None
