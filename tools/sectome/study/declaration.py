"""Reading and checking a study's JSON file: its arms, and the settings that each is trained with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sectome.checks import InputError, check_choice
from sectome.did_you_mean import nearest_or_all
from sectome.report.runs import PRETRAIN, SEGMENT
from sectome.study.variants import Variant, read_variants

STUDY_KEYS: Final = ("name", "asks", "seeds", "baseline", "pretraining", "fine_tuning", "pretrainings", "arms")
RECIPE_KEYS: Final = ("overlays", "overrides")
PRETRAINING_KEYS: Final = (*RECIPE_KEYS, "vary", "seed", "bundle")
ARM_KEYS: Final = (*RECIPE_KEYS, "vary", "pretraining", "fine_tune")

BUNDLES: Final = ("pretraining", "fine_tuning")
"""Keys of the settings of each bundle."""

OWN: Final = ("output_dir", "ckpt_dir", "seed", "checkpoint", "resume")
"""Overrides that the study sets itself."""

PRETRAININGS: Final = "pretrainings"
"""Folder of the pre-trainings, beside the arms' folders."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a bundle run: overlays, relative to the bundle's root, and overrides."""

    overlays: tuple[str, ...]
    overrides: Mapping[str, Any]


@dataclass(frozen=True)
class Pretraining:
    """A pre-training of a bundle; with a `seed`, all seeds of the arms share it, else each seed has its own."""

    name: str
    family: str
    recipe: Recipe
    seed: int | None
    bundle: str


@dataclass(frozen=True)
class Arm:
    """An arm: `family` is its name in the file, `value` the varied number; without a `recipe` it is not fine-tuned."""

    name: str
    family: str
    value: float | None
    recipe: Recipe | None
    pretraining: Pretraining | None

    def pretraining_seed(self, seed: int) -> int:
        """Return the seed of the pre-training that this seed of the arm starts from."""
        shared = self.pretraining.seed if self.pretraining else None
        return seed if shared is None else shared

    @property
    def variant(self) -> float | str:
        """The varied number; if the values are not numbers, the suffix of the name, empty if nothing varies."""
        return self.name.removeprefix(self.family) if self.value is None else self.value

    @property
    def pretraining_is_shared(self) -> bool:
        """Whether all seeds start from the same pre-training."""
        return self.pretraining is not None and self.pretraining.seed is not None


@dataclass(frozen=True)
class Study:
    """A whole declaration; `varied` names what varies between arms, empty if nothing does."""

    name: str
    asks: str
    seeds: tuple[int, ...]
    baseline: str
    varied: str
    arms: tuple[Arm, ...]

    def baseline_of(self, arm: Arm) -> Arm | None:
        """Return the baseline arm for this arm: the one with the same varied value, or the only one; else None."""
        family = [other for other in self.arms if self.baseline in (other.name, other.family)]
        same = [other for other in family if other.variant == arm.variant] or (family if len(family) == 1 else [])
        return same[0] if same and same[0] is not arm else None


def read_study(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Return the study declared in a JSON file.

    Args:
        path: path of the file.
        overrides: overrides for every run, applied after the file's; under "pretraining" or "fine_tuning", for one
            bundle only.

    Raises:
        InputError: if the file is missing or not JSON, or declares something unknown or inconsistent.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a study's JSON file at {path}, got none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_twins)
        return parse_study(content, overrides or {})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} must be JSON, got: {error}") from None


def parse_study(content: Any, overrides: Mapping[str, Any]) -> Study:
    """Return the study declared by a file's content; see `read_study`."""
    _check_keys(content, STUDY_KEYS, "the study")
    both = {key: value for key, value in _object(overrides, "overrides").items() if key not in BUNDLES}
    last = {part: {**both, **_object(overrides.get(part, {}), f"overrides of {part}")} for part in BUNDLES}
    pretrainings: dict[str, list[tuple[Pretraining, Variant]]] = {}
    varied: set[str] = set()
    for family, entry in _object(content.get("pretrainings", {}), "pretrainings").items():
        _check_keys(entry, PRETRAINING_KEYS, f"the pre-training {family!r}")
        label, variants = read_variants(entry.get("vary"), f"the pre-training {family!r}")
        seed = _seeds([entry["seed"]], f"seed of the pre-training {family!r}")[0] if "seed" in entry else None
        bundle = check_choice(
            entry.get("bundle", PRETRAIN), (PRETRAIN, SEGMENT), f"bundle of the pre-training {family!r}"
        )
        varied |= {label} - {""}
        pretrainings[family] = [
            (Pretraining(variant.name(_name(family)), family, recipe, seed, bundle), variant)
            for variant, recipe in _recipes(content.get("pretraining", {}), entry, variants, last["pretraining"])
        ]
    arms: list[Arm] = []
    for family, entry in _object(content.get("arms"), "arms").items():
        _check_keys(entry, ARM_KEYS, f"the arm {family!r}")
        label, variants = read_variants(entry.get("vary"), f"the arm {family!r}")
        varied |= {label} - {""}
        arms += _arms(_name(family), entry, variants, content.get("fine_tuning", {}), last["fine_tuning"], pretrainings)
    study = Study(
        name=_name(content.get("name")),
        asks=str(content.get("asks", "")),
        seeds=_seeds(content.get("seeds"), "seeds"),
        baseline=str(content.get("baseline", "")),
        varied=next(iter(varied), ""),
        arms=tuple(arms),
    )
    _check_whole(study, varied, pretrainings)
    return study


def _arms(
    family: str,
    entry: Mapping[str, Any],
    variants: Sequence[Variant],
    common: Any,
    last: Mapping[str, Any],
    pretrainings: Mapping[str, list[tuple[Pretraining, Variant]]],
) -> Iterator[Arm]:
    """Yield the arms of one entry: one, or one for each varied value of its own or of its pre-training."""
    start = entry.get("pretraining")
    if start is not None and start not in pretrainings:
        raise InputError(
            f"the arm {family!r} must start from a declared pre-training, got {start!r}"
            f"{nearest_or_all(str(start), pretrainings) if pretrainings else ' and none is declared'}"
        )
    fine_tune = entry.get("fine_tune", True)
    if not isinstance(fine_tune, bool) or (start is None and not fine_tune):
        raise InputError(
            f"the arm {family!r} must be fine-tuned or name a pre-training, got fine_tune {fine_tune!r} without one"
        )
    if not fine_tune and {"overlays", "overrides", "vary"} & set(entry):
        raise InputError(f"the arm {family!r}, which is not fine-tuned, must have no settings of its own, got some")
    starts = pretrainings[start] if start is not None else [(None, Variant())]
    if len(starts) > 1 and len(variants) > 1:
        raise InputError(f"the arm {family!r} or its pre-training may vary, got both")
    recipes = list(_recipes(common, entry, variants, last))
    for pretraining, start_variant in starts:
        for own_variant, recipe in recipes:
            for other in ("pretrained", "weights"):
                if pretraining is not None and other in recipe.overrides:
                    raise InputError(f"the arm {family!r} must start from a pre-training or from {other!r}, got both")
            variant = own_variant if own_variant.label else start_variant
            yield Arm(variant.name(family), family, variant.value, recipe if fine_tune else None, pretraining)


def _recipes(
    common: Any, entry: Mapping[str, Any], variants: Sequence[Variant], last: Mapping[str, Any]
) -> Iterator[tuple[Variant, Recipe]]:
    """Yield each variant's settings, in rising precedence: common, the entry's, the varied, the command line's."""
    _check_keys(common, RECIPE_KEYS, "what is common to all")
    overlays = []
    for part in (common, entry):
        listed = part.get("overlays", [])
        if not isinstance(listed, list) or not all(isinstance(overlay, str) for overlay in listed):
            raise InputError(f"overlays must be a list of paths from the bundle's root, got {listed!r}")
        overlays += listed
    made: list[dict[str, Any]] = []
    for variant in variants:
        parts = [common.get("overrides", {}), entry.get("overrides", {}), variant.overrides, last]
        overrides = {key: value for part in parts for key, value in _object(part, "overrides").items()}
        if own := [key for key in overrides if key in OWN]:
            raise InputError(f"overrides must not set what the study sets itself ({', '.join(OWN)}), got {own[0]!r}")
        if overrides in made:
            raise InputError(
                f"overrides must not hide what varies, {variant.label!r} and others, got {overrides} for two of them"
            )
        made.append(overrides)
        yield variant, Recipe(tuple(overlays), overrides)


def _check_whole(study: Study, varied: set[str], pretrainings: Mapping[str, list[tuple[Pretraining, Variant]]]) -> None:
    """Check the consistency of the whole declaration."""
    if not study.arms:
        raise InputError("arms must name at least one arm, got none")
    if len(varied) > 1:
        raise InputError(f"a study must vary one thing, got {' and '.join(sorted(varied))}")
    groups = (
        ("arm", [arm.name for arm in study.arms]),
        ("pre-training", [one.name for family in pretrainings.values() for one, _ in family]),
    )
    for kind, names in groups:
        if twins := [name for name in names if names.count(name) > 1]:
            raise InputError(f"each {kind} must have a name of its own, got {twins[0]!r} twice")
    used = {arm.pretraining.name for arm in study.arms if arm.pretraining}
    for family, members in pretrainings.items():
        if not used & {one.name for one, _ in members}:
            raise InputError(f"a pre-training must be used by an arm, got {family!r}, from which no arm starts")
    known = {arm.family for arm in study.arms} | {arm.name for arm in study.arms}
    if study.baseline and study.baseline not in known:
        raise InputError(
            f"the baseline must be an arm, got {study.baseline!r}{nearest_or_all(study.baseline, sorted(known))}"
        )


def _check_keys(content: Any, known: Sequence[str], place: str) -> None:
    for key in _object(content, place):
        if key not in known:
            raise InputError(f"{place} has no key {key!r}{nearest_or_all(key, known)}")


def _object(content: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise InputError(f"{place} must be an object of names and values, got {content!r}")
    return content


def _name(name: Any) -> str:
    """Return a name, checked to be a valid folder name."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w.+=-]*", name) or name == PRETRAININGS:
        raise InputError(
            f"a name must be usable as a folder's name (letters, digits, _ . + = -; not {PRETRAININGS!r}), got {name!r}"
        )
    return name


def _seeds(seeds: Any, place: str) -> tuple[int, ...]:
    whole = isinstance(seeds, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not whole or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise InputError(f"{place} must list at least one whole number, all different and 0 or more, got {seeds!r}")
    return tuple(seeds)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise on duplicate names, of which json would keep the last."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"each name must be given once in an object, got {name!r} twice")
    return dict(pairs)
