"""CREMI: adult fly brain, every neuron of three volumes labelled."""

from __future__ import annotations

from sectome.datasets.public_set import Archive, PublicSet, PublicVolume

_SHA256 = {
    "A": "4c563d1b78acb2bcfb3ea958b6fe1533422f7f4a19f3e05b600bfa11430b510d",
    "B": "887e85521e00deead18c94a21ad71f278d88a5214c7edeed943130a1f4bb48b8",
    "C": "2874496f224d222ebc29d0e4753e8c458093e1d37bc53acd1b69b19ed1ae7052",
}
_SHAPE = (125, 1250, 1250)

CREMI = PublicSet(
    name="cremi",
    title="adult fly brain, serial-section TEM, every neuron of the volumes A, B and C",
    archives=tuple(
        Archive(
            f"sample_{sample}_20160501.hdf",
            f"https://cremi.org/static/data/sample_{sample}_20160501.hdf",
            f"sha256:{sha256}",
            200_000_000,
        )
        for sample, sha256 in _SHA256.items()
    ),
    volumes=tuple(
        volume
        for sample in _SHA256
        for volume in (
            PublicVolume(f"sample_{sample}_20160501.hdf:volumes/raw", _SHAPE),
            PublicVolume(f"sample_{sample}_20160501.hdf:volumes/labels/neuron_ids", _SHAPE, ids=(1, 2**63 - 1)),
        )
    ),
    voxel_size_nm=(40.0, 4.0, 4.0),
    terms="no licence found; see cremi.org before use beyond research",
    citation="Funke et al. 2016, MICCAI Challenge on Circuit Reconstruction from Electron Microscopy Images, cremi.org",
    traps=(
        "Ids near 2^64 - 1 mark voxels that are not labelled; they are not neurons.",
        "The files sample_*_padded_*.hdf have labels for their inner part only and are not those used here.",
        "Sections are misaligned in places, some are missing or damaged; B and C are harder than A.",
        "cremi.org has served expired certificates: if it does, download by hand and give --archives.",
    ),
)
