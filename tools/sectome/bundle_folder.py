"""The folder of a bundle, found from its configs, so that a workflow can start in any working directory."""

from __future__ import annotations

import sys
from pathlib import Path

from monai.bundle import ConfigWorkflow

SCRIPTS = "scripts"
"""Name of the Python package of each bundle."""

PAGES_OF_WEIGHTS = ("model_card.md", "data_license.txt")
"""Pages in a bundle's `docs` about its own weights; copies with other weights leave them out."""


def bundle_folder(workflow: ConfigWorkflow) -> Path:
    """Return the folder of the bundle that a workflow's first config belongs to."""
    configs = Path(workflow.config_root_path).resolve()
    return configs.parent if configs.name == "configs" else configs


def find_bundle(workflow: ConfigWorkflow) -> None:
    """Let a workflow find its scripts, weights and data from any working directory.

    MONAI adds the bundle's folder to Python's path in `run` only, and a `bundle_root` of "." means the working
    directory. Where that is another folder, `bundle_root` is set to the bundle's.
    """
    folder = bundle_folder(workflow)
    if not (folder / SCRIPTS / "__init__.py").is_file():
        return
    find_scripts(folder)
    if workflow.parser.get("bundle_root") == "." and folder != Path.cwd().resolve():
        workflow.parser["bundle_root"] = str(folder)
        workflow.parser.parse()


def find_scripts(folder: Path) -> None:
    """Make Python import the package `scripts` of a bundle and forget that of another; existing objects stay valid."""
    sys.path.insert(0, str(folder))
    module = sys.modules.get(SCRIPTS)
    file = getattr(module, "__file__", None)
    if module is None or (file is not None and Path(file).resolve().parent == folder / SCRIPTS):
        return
    for name in [name for name in sys.modules if name.split(".")[0] == SCRIPTS]:
        del sys.modules[name]
