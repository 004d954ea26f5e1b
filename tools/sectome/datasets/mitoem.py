"""MitoEM-R and MitoEM-H: rat and human cortex, every mitochondrion of half of each volume labelled."""

from __future__ import annotations

from functools import partial

from sectome.datasets.gather_sections import gather_sections
from sectome.datasets.public_set import Archive, PublicSet, PublicVolume

# The archives hold the image of 1000 sections in one folder and the labels of the first 500 in two.
_VOLUMES = (
    PublicVolume(
        "labelled_image.tif", (500, 4096, 4096), make=partial(gather_sections, patterns=("im/im0[0-4]*.png",))
    ),
    PublicVolume(
        "labels.h5",
        (500, 4096, 4096),
        ids=(1, 2**16 - 1),
        make=partial(gather_sections, patterns=("mito-train-v2/seg*.tif", "mito-val-v2/seg*.tif")),
    ),
    PublicVolume(
        "unlabelled_image.tif", (500, 4096, 4096), make=partial(gather_sections, patterns=("im/im0[5-9]*.png",))
    ),
)
_CITATION = "Wei et al. 2020, MICCAI, doi:10.1007/978-3-030-59722-1_7"
_TRAPS = (
    "Sections 0-399 (the authors' training part) and 400-499 (validation) are labelled; 500-999 are not.",
    "Sections are 4096x4096 pixels: archives, unpacked files and volumes together need about 50 GB of disk.",
)

MITOEM_R = PublicSet(
    name="mitoem_r",
    title="rat cortex, serial-section SEM, every mitochondrion in 500 of 1000 sections",
    archives=(
        Archive(
            "EM30-R-im.zip",
            "https://huggingface.co/datasets/pytc/EM30/resolve/main/EM30-R-im.zip",
            "sha256:6a2cac68adde5d01984542d3ee1d7753d1fa3e6eb2a042ce15ce297c95885bbe",
            14_000_000_000,
        ),
        Archive(
            "EM30-R-mito-train-val-v2.zip",
            "https://huggingface.co/datasets/pytc/MitoEM/resolve/main/EM30-R-mito-train-val-v2.zip",
            "sha256:c56380ac575428a818bd293ca3509d1249999846c3702ccbf11d308acdd2ae86",
            66_600_000,
        ),
    ),
    volumes=_VOLUMES,
    voxel_size_nm=(30.0, 8.0, 8.0),
    terms="MIT, as its pages on Hugging Face say",
    citation=_CITATION,
    traps=_TRAPS,
)

# Its checksums are those that torch-em publishes for these addresses.
MITOEM_H = PublicSet(
    name="mitoem_h",
    title="human cortex, serial-section SEM, every mitochondrion in 500 of 1000 sections",
    archives=(
        Archive(
            "EM30-H-im.zip",
            "https://www.dropbox.com/s/z41qtu4y735j95e/EM30-H-im.zip?dl=1",
            "sha256:98fe259f36a7d8d43f99981b7a0ef8cdeba2ce2615ff91595f428ae57207a041",
            15_000_000_000,
        ),
        Archive(
            "EM30-H-mito-train-val-v2.zip",
            "https://www.dropbox.com/s/dhf89bc14kemw4e/EM30-H-mito-train-val-v2.zip?dl=1",
            "sha256:0e8ed292cfcd0c58701d9f4299244a1b66d6aeb506c85754c34f98a4eda0ef1b",
            55_900_000,
        ),
    ),
    volumes=_VOLUMES,
    voxel_size_nm=(30.0, 8.0, 8.0),
    terms="MIT, as its pages on Hugging Face say",
    citation=_CITATION,
    traps=(
        *_TRAPS,
        "EM30-H-im-pad.zip on Hugging Face is padded to 1040 sections and does not lie under the labels: not this one.",
    ),
)
