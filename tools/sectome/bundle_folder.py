"""A bundle is its folder: found from its configs, so that a workflow starts in any working directory."""

from __future__ import annotations

import sys
from pathlib import Path

from monai.bundle import ConfigWorkflow

SCRIPTS = "scripts"
"""The package of Python code that each bundle has."""

PAGES_OF_WEIGHTS = ("model_card.md", "data_license.txt")
"""Pages in a bundle's `docs` that are about its own weights, and go nowhere with others."""


def bundle_folder(workflow: ConfigWorkflow) -> Path:
    """Return the folder of the bundle that a workflow's first config belongs to."""
    configs = Path(workflow.config_root_path).resolve()
    return configs.parent if configs.name == "configs" else configs


def find_bundle(workflow: ConfigWorkflow) -> None:
    """Let a workflow find its scripts, weights and data wherever Python was started.

    MONAI adds the folder to Python's path in `run` only, and a `bundle_root` of "." is the working directory's: where
    that is another, it becomes the bundle's.
    """
    folder = bundle_folder(workflow)
    if not (folder / SCRIPTS / "__init__.py").is_file():
        return
    find_scripts(folder)
    if workflow.parser.get("bundle_root") == "." and folder != Path.cwd().resolve():
        workflow.parser["bundle_root"] = str(folder)
        workflow.parser.parse()


def find_scripts(folder: Path) -> None:
    """Let Python find the package `scripts` of a bundle, and forget that of another; what was made of it stays."""
    sys.path.insert(0, str(folder))
    module = sys.modules.get(SCRIPTS)
    file = getattr(module, "__file__", None)
    if module is None or (file is not None and Path(file).resolve().parent == folder / SCRIPTS):
        return
    for name in [name for name in sys.modules if name.split(".")[0] == SCRIPTS]:
        del sys.modules[name]
