"""The bundles' READMEs have the sections of the zoo, and their commands name files and keys that are there."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex

import monai.bundle
import pytest
from monai.bundle import ConfigParser

from sectome.config_places import declared_places
from sectome.phantom import make_phantom
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

SECTIONS = [
    "# Model Overview",
    "## Data",
    "## Training configuration",
    "### Input",
    "### Output",
    "## Performance",
    "## MONAI Bundle Commands",
    "## From Python",
    "## Limitations",
    "## References",
    "## License",
]


def readme(bundle):
    return (BUNDLES / bundle / "docs/README.md").read_text()


def blocks(text, language=""):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in fenced if name == language]


def commands(text):
    """Return the words of each command of MONAI, from the name of its function on."""
    lines = [line for block in blocks(text) for line in block.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("sectome ")]
    assert all("-m monai.bundle " in line for line in lines)
    return [shlex.split(line.split("-m monai.bundle ")[1]) for line in lines]


def faults(bundle, words):
    """Return what a command names that is not there."""
    function, *words = words
    root, own = BUNDLES / bundle, inspect.signature(getattr(monai.bundle, function)).parameters
    options = dict(zip(words[::2], words[1::2], strict=True))
    files = {}
    for name in ("--config_file", "--meta_file"):
        value = options.get(name, "[]")
        files[name] = ast.literal_eval(value) if value.startswith("[") else [value]
    missing = [path for paths in files.values() for path in paths if not (root / path).is_file()]
    if missing:
        return missing
    parser = ConfigParser()
    parser.read_config([root / path for path in files["--config_file"]])
    keys = [option.removeprefix("--") for option in options]
    return [key for key in keys if key not in own and key not in parser]


@pytest.mark.parametrize("bundle", [*TINY])
def test_a_readme_has_the_sections_of_the_zoo_in_their_order(bundle):
    headings = re.findall(r"^#+ .+$", readme(bundle), re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    under = readme(bundle).split("## Training configuration")[1].split("###")[0]
    assert "Hardware:" in under


@pytest.mark.parametrize("bundle", [*TINY])
def test_commands_name_files_and_keys_that_are_there(bundle):
    found = commands(readme(bundle))
    for words in found:
        assert faults(bundle, words) == [], words
    lists = {tuple(re.findall(r"configs/(\w+)\.json", " ".join(words))) for words in found}
    evaluate = ("train", "evaluate")
    assert {("train",), evaluate, ("inference",)} <= lists
    assert {("train", "multi_gpu_train"), (*evaluate, "multi_gpu_evaluate")} <= lists


@pytest.mark.parametrize("bundle", [*TINY])
def test_keys_in_the_text_are_there(bundle):
    known = declared_places(BUNDLES / bundle / "configs")
    named = re.findall(r"`--([\w#]+)", readme(bundle))
    assert named
    assert [key for key in named if key.replace("#", "::") not in known] == []


def test_a_wrong_file_or_key_would_be_found():
    words = ["run", "--config_file", "['configs/train.json','configs/evaluat.json']"]
    assert faults("mae_pretrain", words) == ["configs/evaluat.json"]
    words = ["run", "--config_file", "configs/train.json", "--epohcs", "3", "--train#trainer#max_epochs", "3"]
    assert faults("mae_pretrain", words) == ["epohcs"]


@pytest.mark.parametrize(
    ("bundle", "result"),
    [
        ("mae_pretrain", "reconstructed/volume_reconstruction.tif"),
        ("em_segmentation", "segmented/volume_labels.tif"),
    ],
)
def test_the_python_runs_from_any_folder(run_module, tmp_path, bundle, result):
    (code,) = blocks(readme(bundle), "python")
    (tmp_path / "in_a_program.py").write_text(code.replace("/path/to/bundles", str(BUNDLES)))
    phantom = make_phantom((48, 48, 48), (8, 8, 8), 0)
    write_volume(tmp_path / "volume.tif", phantom.raw, voxel_size_nm=(8, 8, 8))
    done = run_module("in_a_program", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert open_volume(tmp_path / result).shape == (48, 48, 48)


def test_the_channels_of_the_affinities_are_those_of_the_shipped_network():
    rows = re.findall(r"^\| (?:channel|offset) \| (.+) \|$", readme("em_segmentation"), re.MULTILINE)
    channels, offsets = ([cell.strip() for cell in row.split("|")] for row in rows)
    settings = json.loads((BUNDLES / "em_segmentation/models/model.json").read_text())
    assert channels == [str(number) for number in range(settings["out_channels"])]
    assert [ast.literal_eval(f"[{offset}]") for offset in offsets] == settings["offsets"]
