"""Each option that a page names exists: as a key of a config, or as a flag of a command."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from sectome.cli import COMMANDS
from tiny_networks import BUNDLES

ROOT = BUNDLES.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(BUNDLES.glob("*/docs/*.md"))]

OTHER_PROGRAMS = {
    *("config_file", "meta_file", "tracking", "tracking_uri", "experiment_name", "run_name", "ckpt_file", "net_id"),
    *("filepath", "input_shape", "dynamic_batchsize", "converter_kwargs", "standalone", "nproc_per_node", "nnodes"),
    *("app", "studies", "conf", "backend-store-uri", "logdir", "resources", "nthreads", "recursive", "help"),
}
"""Of MONAI's commands, torchrun, MONAI Label, MLflow, TensorBoard, Dask and AWS."""


def known() -> set[str]:
    """Return the keys of all configs at any depth, the flags of all commands, and the options of the benchmarks."""
    names = {name for command in COMMANDS.values() for name in inspect.signature(command).parameters}
    for path in BUNDLES.glob("*/configs/**/*.json"):
        names |= set(re.findall(r'"(\w+)":', path.read_text()))
    for path in [*ROOT.glob("tests/benchmarks/*.py"), *ROOT.glob("docs/results/**/*.py")]:
        names |= set(re.findall(r'"--([\w-]+)"', path.read_text()))
    assert json.loads((BUNDLES / "em_segmentation/configs/train.json").read_text()).keys() <= names
    return names | OTHER_PROGRAMS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_exist(page):
    options = re.findall(r"(?<![\w-])--([a-zA-Z][\w-]*)", page.read_text(encoding="utf-8"))
    assert set(options) - known() == set()
