"""FIB-25: fly medulla, every neuron of a cube labelled."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np

from sectome.checks import InputError
from sectome.datasets.public_set import Archive, PublicSet, PublicVolume
from sectome.types import LabelArray


def merge_supervoxels(unpacked: Path) -> LabelArray:
    """Merge the supervoxels of NeuroProof's two datasets into neurons (Z, Y, X).

    `stack` (Z, Y, X) holds supervoxels, `transforms` (N, 2) the neuron of each. Supervoxels without a row become
    background, with a `UserWarning`.

    Raises:
        InputError: If a dataset is missing.
    """
    with h5py.File(unpacked / "groundtruth.h5", "r") as file:
        if not {"stack", "transforms"} <= set(file):
            raise InputError(f"expected datasets stack and transforms in groundtruth.h5, got {sorted(file)}")
        stack, rows = file["stack"][:], file["transforms"][:]
    supervoxels, where = np.unique(stack, return_inverse=True)
    neuron_of = dict(zip(rows[:, 0].tolist(), rows[:, 1].tolist(), strict=True))
    neurons = np.array([neuron_of.get(supervoxel, 0) for supervoxel in supervoxels.tolist()], np.uint64)
    unnamed = sum(supervoxel not in neuron_of for supervoxel in supervoxels.tolist() if supervoxel)
    if unnamed:
        warnings.warn(
            f"{unnamed} supervoxels of groundtruth.h5 belong to no neuron: they become background", stacklevel=2
        )
    compact = neurons.astype(np.uint16 if neurons.max() < 2**16 else np.uint64)
    return compact[where].reshape(stack.shape)


_BUCKET = "https://storage.googleapis.com/ffn-flyem-fib25/training_sample2"
_SHAPE = (250, 250, 250)

FIB25 = PublicSet(
    name="fib25",
    title="fly medulla, FIB-SEM, every neuron of a cube (FlyEM's training sample 2)",
    archives=(
        Archive(
            "grayscale_maps.h5",
            f"{_BUCKET}/grayscale_maps.h5",
            "sha256:ea031c98ee2de778a9a3a1e6d410df5de73e4ac28022df8e7255d84e3394cafa",
            16_000_000,
        ),
        Archive(
            "groundtruth.h5",
            f"{_BUCKET}/groundtruth.h5",
            "sha256:fd508e7aee1fe51ac9ae0460db4a841d275236f013c1f2552314b4f21b1010ea",
            64_000_000,
        ),
    ),
    volumes=(
        PublicVolume("grayscale_maps.h5:raw", _SHAPE),
        PublicVolume("neurons.h5", _SHAPE, ids=(1, 2**63 - 1), make=merge_supervoxels),
    ),
    voxel_size_nm=(8.0, 8.0, 8.0),
    terms="CC BY",
    citation="Takemura et al. 2015, PNAS 112(44):13711-13716, doi:10.1073/pnas.1509820112",
    traps=(
        "stack in groundtruth.h5 holds supervoxels: neurons.h5 has the neurons, by the table transforms beside it.",
        "Neurons touch, there is no background between them; pieces below 100 voxels are noise.",
    ),
)
