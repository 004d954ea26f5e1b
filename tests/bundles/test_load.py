"""`monai.bundle.load` on a bundle's folder: no network, any working directory, and never random weights in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiny_networks import BUNDLES, TINY

PREFIX = {"copy_model_args": {"dst_prefix": "autoencoder."}}
RIGHT = {"workflow_type": "inference", "key_in_ckpt": "model"}


@pytest.fixture
def load(run_module, tmp_path, monkeypatch):
    """Run `loading.py`, one load after the other in one process; return its lines."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")

    def run(*requests):
        done = run_module("loading", str(BUNDLES), json.dumps(requests), cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
        return [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]

    return run


@pytest.mark.slow
def test_both_bundles_load_in_one_process_with_the_weights_of_their_files(load):
    requests = [("em_segmentation", RIGHT), ("mae_pretrain", RIGHT | PREFIX), ("em_segmentation", RIGHT)]
    # The file is there, so that the source does not matter.
    requests += [("em_segmentation", RIGHT | {"model_file": "models/model.pt", "source": "github"})]
    assert load(*requests) == ["equal"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [*TINY])
def test_arguments_that_would_leave_weights_untrained_are_refused(load, bundle):
    prefix = PREFIX if bundle == "mae_pretrain" else {}
    wrong = [{}, {"workflow_type": "inference"}, {"key_in_ckpt": "model"}]
    lines = load(*((bundle, one | prefix) for one in wrong))
    for line in lines:
        assert "InputError: monai.bundle.load must be told where the weights of" in line
        assert f"{bundle}/docs/README.md says which to give ('From Python')" in line
    assert "leave 0 of" not in "".join(lines)


def test_a_network_without_the_prefix_of_its_part_is_refused(load):
    assert "untrained" in load(("mae_pretrain", RIGHT))[0]
