"""The runs of a study: a pre-training or an arm with one seed, as the commands that a user would type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from sectome.bundle import check_keys, keys_read, top_key
from sectome.checks import InputError
from sectome.did_you_mean import nearest_or_all
from sectome.json_object import as_json, read_json_object
from sectome.report.runs import SEGMENT
from sectome.study.bundle_command import as_options, bundle_command
from sectome.study.declaration import PRETRAININGS, Arm, Recipe, Study

TRAIN = ("configs/train.json",)
EVALUATE = ("configs/train.json", "configs/evaluate.json")


@dataclass(frozen=True)
class Job:
    """One training run with its evaluation.

    Attributes:
        name: path of its folder, relative to the study's.
        names: names that select it: that of the arm or `pretrainings/NAME`, and that of the entry in the file.
        folder: output folder.
        root: root folder of the bundle.
        recipe: settings of the run.
        declared: all that its result depends on, as plain values.
        overlays: contents of its overlay files, by path.
        commands: the arguments after "python" of "train" and, except for a pre-training of the whole network,
            "evaluate".
        needs: the pre-training run that it starts from.
    """

    name: str
    names: tuple[str, str]
    folder: Path
    root: Path
    recipe: Recipe
    declared: Mapping[str, Any]
    overlays: Mapping[str, Any]
    commands: Mapping[str, Sequence[str]]
    needs: Job | None = None


def arm_folder(folder: Path, arm: Arm, seed: int) -> Path:
    """Return the output folder of an arm with a seed."""
    return folder / arm.name / f"seed_{seed}"


def pretraining_folder(folder: Path, arm: Arm, seed: int) -> Path | None:
    """Return the output folder of an arm's pre-training, None without one."""
    if arm.pretraining is None:
        return None
    return folder / PRETRAININGS / arm.pretraining.name / f"seed_{arm.pretraining_seed(seed)}"


def plan(study: Study, arms: Iterable[Arm], folder: Path, bundles: Mapping[str, Path]) -> list[Job]:
    """Return the runs of some arms, seed by seed, so that a partly run study gives a complete table.

    Args:
        study: the declaration.
        arms: the wanted arms of the study.
        folder: absolute folder of the study.
        bundles: root folder of each bundle.
    """
    arms = list(arms)
    jobs: dict[str, Job] = {}
    for seed in study.seeds:
        for arm in arms:
            first = None
            if (start := arm.pretraining) is not None:
                names = (f"{PRETRAININGS}/{start.name}", f"{PRETRAININGS}/{start.family}")
                job = _job(names, folder, bundles[start.bundle], start.recipe, arm.pretraining_seed(seed))
                if start.bundle == SEGMENT:
                    # Its score is its last validation, because this bundle evaluates only segmentations.
                    job = replace(job, commands={"train": job.commands["train"]})
                first = jobs.setdefault(job.name, job)
            if arm.recipe is not None:
                job = _job((arm.name, arm.family), folder, bundles[SEGMENT], arm.recipe, seed, first)
                jobs[job.name] = job
    return list(jobs.values())


def choose_jobs(jobs: Sequence[Job], names: Sequence[str]) -> list[Job]:
    """Return the runs with the given names, and those that start from them.

    Raises:
        InputError: if a name matches no run.
    """
    known = list(dict.fromkeys(name for job in jobs for name in job.names))
    _check_names(names, known)
    return [job for job in jobs if set(names) & {*job.names, *(job.needs.names if job.needs else ())}]


def choose_arms(study: Study, names: Sequence[str]) -> list[Arm]:
    """Return the arms with the given names or from the entries of these names; without names, all.

    Raises:
        InputError: if a name matches no arm.
    """
    _check_names(names, list(dict.fromkeys(name for arm in study.arms for name in (arm.family, arm.name))))
    return [arm for arm in study.arms if not names or {arm.name, arm.family} & set(names)]


def _check_names(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"the study has no arm {name!r}{nearest_or_all(name, known)}")


def check_settings(jobs: Iterable[Job]) -> None:
    """Raise an `InputError` for a missing overlay file or an override without effect."""
    seen: set[str] = set()
    for job in jobs:
        key = json.dumps([str(job.root), job.recipe.overlays, job.recipe.overrides], sort_keys=True)
        if key in seen:
            continue
        seen.add(key)
        for overlay in job.recipe.overlays:
            if not (job.root / overlay).is_file():
                raise InputError(f"{job.name}: expected an overlay at {job.root / overlay}, got none")
        parser = ConfigParser()
        parser.read_config([str(job.root / config) for config in (*EVALUATE, *job.recipe.overlays)])
        for name, value in job.recipe.overrides.items():
            try:
                parser[name] = value
            except (IndexError, KeyError, TypeError, ValueError):
                raise InputError(f"{job.name}: overrides must name keys of the configs, got {name!r}") from None
        try:
            check_keys(parser, job.root / "configs")
        except InputError as error:
            raise InputError(f"{job.name}: {error}") from None


def _job(names: tuple[str, str], study: Path, root: Path, recipe: Recipe, seed: int, needs: Job | None = None) -> Job:
    name = f"{names[0]}/seed_{seed}"
    folder = study / name
    declared = {
        "bundle": root.name,
        "overlays": list(recipe.overlays),
        "overrides": dict(recipe.overrides),
        "seed": seed,
        "pretraining": needs.declared if needs else None,
    }
    options = {**recipe.overrides, "seed": seed, "output_dir": folder, "ckpt_dir": folder}
    start = {"pretrained": needs.folder / "model.pt"} if needs else {}
    trained = {key: value for key, value in options.items() if top_key(key) not in _only_evaluated(root)}
    # An evaluation uses the run's own weights.
    own = {key: value for key, value in options.items() if key != "pretrained"}
    return Job(
        name=name,
        names=names,
        folder=folder,
        root=root,
        recipe=recipe,
        declared=as_json(declared),
        # `check_settings` reports missing files.
        overlays={
            path: read_json_object(root / path, "an overlay") for path in recipe.overlays if (root / path).is_file()
        },
        commands={
            "train": bundle_command([*TRAIN, *recipe.overlays], as_options({**trained, **start})),
            "evaluate": bundle_command([*EVALUATE, *recipe.overlays], as_options(own)),
        },
        needs=needs,
    )


@cache
def _only_evaluated(root: Path) -> set[str]:
    """Return the top-level keys of a bundle's evaluation config that its training rejects as options."""
    train, evaluate = (read_json_object(root / path, "a config") for path in EVALUATE)
    return {*map(top_key, evaluate)} - set(train) - keys_read(train)
