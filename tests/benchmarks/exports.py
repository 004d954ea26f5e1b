"""How far exports of the shipped weights are from the networks themselves, on real tissue.

Run: SECTOME_DATA=FOLDER python tests/benchmarks/exports.py [--csv OUT.csv]

The tissue is sections 120 to 169 of fib25_medulla/labelled_raw.tif, standardised as configs/inference.json does, in
crops of 48x48x48 that do not overlap, in batches of 1 and of 3, and in a crop of 48x96x96.
"""

from __future__ import annotations

import interleaved  # noqa: F401  isort: skip  (sets the number of threads)

import argparse
import copy
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import onnxruntime
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export
from torch import Tensor, nn

from sectome.export import write_onnx
from sectome.study.results import write_rows
from sectome.transforms import StandardiseIntensity
from sectome.volumes import open_volume

BUNDLES = Path(__file__).parents[2] / "bundles"
CROP = 48
LARGE = (48, 96, 96)
DYNAMIC_BATCH = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "batch"}}}

Run = Callable[[Tensor], Tensor]


def crops(tissue: Tensor) -> list[Tensor]:
    """Return the crops (1, Z, Y, X) of a volume (1, Z, Y, X) that do not overlap; 24 of sections of 250x250."""
    places = [range(0, length - CROP + 1, CROP) for length in tissue.shape[1:]]
    cut = [tissue[:, z : z + CROP, y : y + CROP, x : x + CROP] for z in places[0] for y in places[1] for x in places[2]]
    return cut[: 3 * (len(cut) // 3)]


def exports(bundle: str, folder: Path, **overrides: str) -> Iterator[tuple[str, nn.Module, Run]]:
    """Yield the name of each export, the network, and what runs the export."""
    os.chdir(BUNDLES / bundle)
    sys.path.insert(0, str(BUNDLES / bundle))
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]
    parser = ConfigParser()
    parser.read_config("configs/inference.json")
    parser.update({**overrides, "device": "$torch.device('cpu')"})
    network = parser.get_parsed_content("network").eval()
    files = {
        "net_id": "network_def",
        "ckpt_file": "models/model.pt",
        "meta_file": "configs/metadata.json",
        "config_file": "configs/inference.json",
        **overrides,
    }

    # Inference keeps channels last in memory, exports keep them first; torch then sums in another order.
    yield "none, channels first", network, copy.deepcopy(network).to(memory_format=torch.contiguous_format)

    ckpt_export(filepath=str(folder / f"{bundle}.ts"), **files)
    yield "TorchScript, ckpt_export", network, torch.jit.load(folder / f"{bundle}.ts")

    write_onnx(network, folder / f"{bundle}.onnx", tuple(parser.get_parsed_content("patch_size")))
    yield "ONNX, sectome export", network, onnx_runner(folder / f"{bundle}.onnx")

    path = folder / f"{bundle}_monai.onnx"
    onnx_export(filepath=str(path), input_shape=[1, 1, CROP, CROP, CROP], converter_kwargs=DYNAMIC_BATCH, **files)
    yield "ONNX, onnx_export", network, onnx_runner(path)


def onnx_runner(path: Path) -> Run:
    """Return what runs an ONNX file on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0])


def measure(network: nn.Module, run: Run, images: list[Tensor], to_value: Callable[[Tensor], Tensor]) -> float:
    """Return the greatest difference of a value over images (B, 1, Z, Y, X)."""
    with torch.no_grad():
        return max(float((to_value(network(image)) - to_value(run(image))).abs().max()) for image in images)


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--csv", type=Path)
    table = parser.parse_args().csv
    table = table and table.resolve()
    volume = open_volume(Path(os.environ["SECTOME_DATA"]) / "fib25_medulla/labelled_raw.tif", voxel_size_nm=(8, 8, 8))
    tissue = StandardiseIntensity()(torch.from_numpy(volume[120:170, :, :])[None])
    small = crops(tissue)
    batches = {size: [torch.stack(small[at : at + size]) for at in range(0, len(small), size)] for size in (1, 3)}
    large = [tissue[None, :, : LARGE[0], : LARGE[1], : LARGE[2]]]

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for bundle, value, to_value, overrides in (
            ("em_segmentation", "probability", torch.sigmoid, {}),
            ("mae_pretrain", "feature", torch.nn.Identity(), {"mode": "encode"}),
        ):
            for name, network, run in exports(bundle, Path(folder), **overrides):
                kinds = [(f"{CROP}x{CROP}x{CROP}", size, images) for size, images in batches.items()]
                if "onnx_export" not in name:
                    kinds.append(("x".join(map(str, LARGE)), 1, large))
                for crop, size, images in kinds:
                    difference = measure(network, run, images, to_value)
                    rows.append((bundle, name, crop, size, len(images) * size, value, f"{difference:.2g}"))
                    print(*rows[-1], sep=" | ", flush=True)
    if table:
        names = ("bundle", "export", "crop", "batch", "crops", "value", "greatest_difference")
        write_rows(table, names, [dict(zip(names, row, strict=True)) for row in rows])


if __name__ == "__main__":
    main()
