"""Checks of places in a MONAI config, such as "train::trainer::max_epochs": that they are read, and that they exist.

MONAI also takes "#" for "::". Messages use "#", as the command line does.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ReferenceResolver

from sectome.checks import InputError
from sectome.did_you_mean import did_you_mean
from sectome.json_object import read_json_object

SEPARATOR = ReferenceResolver.sep


def declared_places(config_root: Path) -> set[str]:
    """Return all places that any config file of a bundle declares, including the overlays in folders.

    An overlay that cannot be read is skipped with a warning: a run that uses it fails earlier.

    Raises:
        InputError: if one of the bundle's own configs cannot be read.
    """
    declared: set[str] = set()
    for path in config_root.rglob("*.json"):
        if path.name == "metadata.json":
            continue
        try:
            declared |= set(_places(read_json_object(path, "a config"), ""))
        except InputError as error:
            if path.parent == config_root:
                raise
            warnings.warn(f"{error}; it is ignored in this run", UserWarning, stacklevel=2)
    return declared


def check_references(parser: ConfigParser, declared: set[str]) -> None:
    """Raise an `InputError` for the first reference to a place that neither this nor any other config has.

    Args:
        parser: holds the merged config.
        declared: see `declared_places`.
    """
    for place, reference in _references(parser.get()):
        if reference in parser or reference in declared or not reference or reference.startswith(SEPARATOR):
            continue
        parent, _, key = reference.rpartition(SEPARATOR)
        while parent and parent not in parser:
            parent, _, key = parent.rpartition(SEPARATOR)
        siblings = parser.get(parent)
        near = did_you_mean(key, map(str, siblings)) if isinstance(siblings, Mapping) else ""
        raise InputError(f"unknown config key '{written(reference)}' in the value of '{written(place)}'{near}")


def check_sections(parser: ConfigParser, declared: set[str], properties: set[str]) -> None:
    """Raise an `InputError` for the first key of a section that nothing reads.

    A section is a dictionary that is no component and that nothing refers to as a whole, such as "train".

    Args:
        parser: holds the merged config.
        declared: see `declared_places`.
        properties: places that MONAI itself reads.
    """
    config = parser.get()
    read = {reference for _, reference in _references(config)} | properties
    whole = frozenset(read)
    for place in list(read):
        read |= set(_parents(place))
    for key, value in config.items():
        if key != ConfigParser.meta_key:
            _check_section(value, str(key), declared, read, whole)


def _check_section(section: Any, place: str, declared: set[str], read: set[str], whole: frozenset[str]) -> None:
    if not isinstance(section, Mapping) or "_target_" in section or place in whole:
        return
    for key, value in section.items():
        inner = f"{place}{SEPARATOR}{key}"
        if inner not in read and inner not in declared:
            known = {
                name.rpartition(SEPARATOR)[2] for name in declared | read if name.rpartition(SEPARATOR)[0] == place
            }
            near = did_you_mean(key, sorted(known))
            raise InputError(f"unknown config key '{written(inner)}': nothing reads it{near}")
        _check_section(value, inner, declared, read, whole)


def _places(config: Any, place: str) -> Iterator[str]:
    if isinstance(config, Mapping):
        for key, value in config.items():
            inner = ReferenceResolver.normalize_id(f"{place}{SEPARATOR}{key}" if place else key)
            yield from _parents(inner)
            yield inner
            yield from _places(value, inner)


def _parents(place: str) -> Iterator[str]:
    """Yield the parents of a place: "train" and "train::trainer" of "train::trainer::max_epochs"."""
    parts = place.split(SEPARATOR)
    for count in range(1, len(parts)):
        yield SEPARATOR.join(parts[:count])


def leaves(config: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of each leaf of a config, without its metadata."""
    if isinstance(config, (Mapping, list)):
        for key, inner, value in ReferenceResolver.iter_subconfigs(place, config):
            if key != ConfigParser.meta_key:
                yield from leaves(value, inner)
    else:
        yield place, config


def texts(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each string in a config, without its metadata."""
    return ((place, value) for place, value in leaves(config) if isinstance(value, str))


def _references(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the place of each reference in a config, and the place that it refers to."""
    for place, text in texts(config):
        for reference in ReferenceResolver.match_refs_pattern(text):
            yield place, reference


def written(place: str) -> str:
    """Return a place as the command line writes it."""
    return place.replace(SEPARATOR, "#")
