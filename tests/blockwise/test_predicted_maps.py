"""What a run predicts itself, in a process that outlives the run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from sectome.blockwise.predicted_maps import predicted_maps
from sectome.described import describe
from sectome.phantom import make_phantom
from sectome.transforms import PercentileIntensity
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES

SHIPPED = BUNDLES / "em_segmentation/models/model.pt"


@pytest.mark.usefixtures("forget_scripts")
def test_another_run_of_files_of_the_same_names_predicts_by_what_they_hold_by_then(tmp_path):
    volume, model, folder = tmp_path / "own.tif", tmp_path / "own.pt", tmp_path / "out.run"
    shutil.copyfile(SHIPPED.with_suffix(".json"), model.with_suffix(".json"))
    content = torch.load(SHIPPED, weights_only=True)
    descriptions, predictions = [], []
    for seed, sign in ((0, 1), (1, 1), (1, -1)):
        write_volume(volume, make_phantom((8, 16, 16), (8, 8, 8), seed).raw, voxel_size_nm=(8, 8, 8))
        out = {name: sign * content["model"][name] for name in ("decoder.out.weight", "decoder.out.bias")}
        torch.save(content | {"model": content["model"] | out}, model)
        source = predicted_maps(folder, str(volume), SHIPPED.parents[1], str(model), device="cpu", precision="fp32")
        descriptions.append(source.description())
        source.prepare(source.shape)
        source.predict(tuple(slice(0, extent) for extent in source.shape))
        predictions.append(source.read([slice(None)] * 3))
        shutil.rmtree(folder)
    for number in (0, 1):
        assert descriptions[number] != descriptions[number + 1]
        assert (predictions[number] != predictions[number + 1]).mean() > 0.5


@pytest.mark.usefixtures("forget_scripts")
def test_contrast_that_is_equalised_in_each_block_by_itself_is_warned_of(tmp_path):
    volume, model = tmp_path / "own.tif", tmp_path / "own.pt"
    write_volume(volume, make_phantom((8, 16, 16), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    shutil.copyfile(SHIPPED, model)
    settings = json.loads(SHIPPED.with_suffix(".json").read_text())
    settings["intensity"] = describe(PercentileIntensity(clahe=True))
    model.with_suffix(".json").write_text(json.dumps(settings))
    with pytest.warns(UserWarning, match=r"own.tif has its contrast equalised .*, which are blocks; use thin ones of"):
        predicted_maps(tmp_path / "out.run", str(volume), SHIPPED.parents[1], str(model))


@pytest.mark.usefixtures("forget_scripts")
@pytest.mark.parametrize("name", ["own.tif", "own.h5:raw", "precomputed://own"])
def test_a_worker_in_another_folder_opens_the_volume(tmp_path, monkeypatch, name):
    raw = make_phantom((8, 16, 16), (8, 8, 8), 0).raw
    monkeypatch.chdir(tmp_path)
    write_volume(name, raw, voxel_size_nm=(8, 8, 8))
    source = predicted_maps("out.run", name, SHIPPED.parents[1], mask=name, device="cpu")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for kept in (source.volume, source.mask):
        np.testing.assert_array_equal(np.asarray(open_volume(kept)), raw)
