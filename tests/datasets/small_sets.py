"""The public sets scaled down: archives of the real layout, and the table's entries with their shapes and checksums."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import tifffile

from sectome.datasets import ALL_SETS, PublicSet

SECTIONS = {"labelled_image.tif": 5, "labels.h5": 5, "unlabelled_image.tif": 3}
"""Sections of MitoEM's volumes; those of the other sets are 12 each, so that the order of their names matters."""

YX = (20, 24)


def grey(sections: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (sections, *YX), dtype=np.uint8)


def objects(sections: int = 12, dtype: type = np.uint16) -> np.ndarray:
    """Two objects with background between them, which differ in every section."""
    labels = np.zeros((sections, *YX), dtype)
    for z in range(sections):
        labels[z, 2 : 4 + z % 12, 2:8] = 1
        labels[z, 2 : 4 + z % 12, 12:20] = 7
    return labels


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def _tiff(path: Path, array: np.ndarray) -> bytes:
    tifffile.imwrite(path, array, photometric="minisblack")
    content = path.read_bytes()
    path.unlink()
    return content


def _snemi3d(folder: Path) -> None:
    stacks = {"image/train-input": grey(), "seg/train-labels": objects(), "image/test-input": grey(seed=1)}
    members = {f"{name}.tif": _tiff(folder / "stack.tif", array) for name, array in stacks.items()}
    _zip(folder / "snemi.zip", {"__MACOSX/._snemi": b"", **members})


def _mitoem(letter: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        images = dict(zip((0, 1, 2, 3, 4, 500, 501, 502), grey(8), strict=True))
        _zip(
            folder / f"EM30-{letter}-im.zip",
            {f"im/im{number:04d}.png": imagecodecs.png_encode(image) for number, image in images.items()},
        )
        labels = {f"mito-{'train' if z < 3 else 'val'}-v2/seg{z:04d}.tif": x for z, x in enumerate(objects(5))}
        _zip(
            folder / f"EM30-{letter}-mito-train-val-v2.zip",
            {name: _tiff(folder / "section.tif", section) for name, section in labels.items()},
        )

    return write


def _cremi(folder: Path) -> None:
    for seed, sample in enumerate("ABC"):
        neurons = objects(dtype=np.uint64)
        neurons[0] = 2**64 - 1
        with h5py.File(folder / f"sample_{sample}_20160501.hdf", "w") as file:
            for name, array in {"raw": grey(seed=seed), "labels/neuron_ids": neurons, "labels/clefts": neurons}.items():
                file[f"volumes/{name}"] = array
                file[f"volumes/{name}"].attrs["resolution"] = (40.0, 4.0, 4.0)


def _lucchi(folder: Path) -> None:
    members = {}
    for part, seed in (("Train", 0), ("Test", 1)):
        for z, (image, mask) in enumerate(zip(grey(seed=seed), objects() > 0, strict=True)):
            white = mask.astype(np.uint8) * 255
            opaque = np.stack([white, white, white, np.full_like(white, 255)], axis=-1)
            members[f"Lucchi++/{part}_In/mask{z:04d}.png"] = imagecodecs.png_encode(image)
            members[f"Lucchi++/{part}_Out/{z}.png"] = imagecodecs.png_encode(white if part == "Train" else opaque)
    _zip(folder / "lucchi_pp.zip", members)


def _fib25(folder: Path) -> None:
    supervoxels = objects(dtype=np.uint32) + 2 * (np.arange(12, dtype=np.uint32) > 5)[:, None, None]
    with h5py.File(folder / "grayscale_maps.h5", "w") as file:
        file["raw"] = grey()
    with h5py.File(folder / "groundtruth.h5", "w") as file:
        file["stack"] = supervoxels
        file["transforms"] = np.array([(0, 0), (1, 1), (7, 7), (2, 0), (3, 1), (9, 7)], np.uint64)


WRITERS = {
    "snemi3d": _snemi3d,
    "mitoem_r": _mitoem("R"),
    "mitoem_h": _mitoem("H"),
    "cremi": _cremi,
    "lucchi": _lucchi,
    "fib25": _fib25,
}


def make_small(name: str, folder: Path, address: str = "http://127.0.0.1:9") -> PublicSet:
    """Write small archives into `folder` and return the table's entry for them, to be downloaded from `address`."""
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder)
    return rescale(ALL_SETS[name], folder, address)


def rescale(public: PublicSet, folder: Path, address: str = "http://127.0.0.1:9") -> PublicSet:
    """Return the entry with the checksums and sizes of the archives in `folder`."""
    archives = []
    for archive in public.archives:
        content = (folder / archive.name).read_bytes()
        algorithm = archive.checksum.partition(":")[0]
        checksum = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
        archives.append(replace(archive, url=f"{address}/{archive.name}", checksum=checksum, nbytes=len(content)))
    volumes = [replace(volume, shape=(SECTIONS.get(volume.path, 12), *YX)) for volume in public.volumes]
    return replace(public, archives=tuple(archives), volumes=tuple(volumes))
