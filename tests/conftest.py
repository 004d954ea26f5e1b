"""Shared fixtures: the bundles' scripts, a folder of synthetic tissue, and bundle runs in their own processes."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tiny_networks import BUNDLES

# Two processes of two threads each on two cores are slower than one after the other. A worker of xdist has the
# environment of the process that started it, which has read this file.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
else:
    os.environ.setdefault("OMP_NUM_THREADS", "2")


def _import_scripts(bundle: str) -> Iterator[ModuleType]:
    """Import a bundle's `scripts`; both bundles have a package of that name, so it is taken out again."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
            del sys.modules[name]

    forget()
    sys.path.insert(0, str(BUNDLES / bundle))
    try:
        yield importlib.import_module("scripts")
    finally:
        sys.path.remove(str(BUNDLES / bundle))
        forget()


@pytest.fixture
def mae_scripts() -> Iterator[ModuleType]:
    yield from _import_scripts("mae_pretrain")


@pytest.fixture
def segmentation_scripts() -> Iterator[ModuleType]:
    yield from _import_scripts("em_segmentation")


@pytest.fixture
def forget_scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the `scripts` of a bundle that this process opens: the other bundle has a package of that name, too."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
            del sys.modules[name]

    monkeypatch.setattr(sys, "path", list(sys.path))
    forget()
    yield
    forget()


@pytest.fixture(scope="session")
def tissue_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic tissue in the layout that the configs expect, small enough to train on in seconds."""
    from sectome.phantom import make_phantom
    from sectome.volumes import write_volume

    folder = tmp_path_factory.mktemp("tissue")
    for seed, name in enumerate(("unlabelled", "train", "validation", "test")):
        phantom = make_phantom((16, 96, 96), (30, 6, 6), seed)
        write_volume(folder / name / "images/cube.tif", phantom.raw, voxel_size_nm=(30, 6, 6))
        write_volume(folder / name / "labels/cube.tif", phantom.neurons, voxel_size_nm=(30, 6, 6))
    return folder


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int | str | None, str, str]]:
    """Run the command `sectome` in this process; return exit code, output and errors."""
    from sectome.cli import main

    def call(*arguments: object) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["sectome", *map(str, arguments)])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


RunModule = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunModule]:
    """Run `python -m MODULE WORDS` in a folder; see `bundle_server.py`."""
    folder = tmp_path_factory.mktemp("bundle_server")
    own = {"PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(Path(__file__).with_name("bundle_server.py"))]
    server = subprocess.Popen(
        command, env={**os.environ, **own}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        out, err = folder / "out.txt", folder / "err.txt"
        request = {
            "cwd": str(cwd),
            "words": [*map(str, words)],
            "environment": {**os.environ, **own},
            "out": str(out),
            "err": str(err),
        }
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin)
        answer = server.stdout.readline()
        assert answer, "the server of bundle runs has ended"
        return subprocess.CompletedProcess(words, int(answer), out.read_text(), err.read_text())

    # Its end closes the server's stdin, and so ends the server.
    with server:
        yield run


@pytest.fixture(scope="session")
def run_bundle(run_module: RunModule) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m monai.bundle run` from a bundle's root, as a MONAI user does."""

    def run(bundle: str, configs: str | list[str], **overrides: object) -> subprocess.CompletedProcess[str]:
        names = [configs] if isinstance(configs, str) else configs
        words = ["monai.bundle", "run", "--config_file", str([f"configs/{name}.json" for name in names])]
        for key, value in overrides.items():
            # As the docs write it: true, not True.
            words += [f"--{key.replace('__', '#')}", json.dumps(value) if isinstance(value, bool) else str(value)]
        return run_module(*words, cwd=BUNDLES / bundle)

    return run


@pytest.fixture
def asymmetric_labels() -> np.ndarray:
    """A (5, 7, 9) label volume without any symmetry: each voxel has an id of its own."""
    return np.arange(1, 5 * 7 * 9 + 1, dtype=np.int64).reshape(5, 7, 9)
