"""SNEMI3D: mouse cortex, every neuron of one volume labelled."""

from __future__ import annotations

from sectome.datasets.public_set import Archive, PublicSet, PublicVolume

SNEMI3D = PublicSet(
    name="snemi3d",
    title="mouse somatosensory cortex, serial-section SEM, every neuron of the training volume (AC4)",
    archives=(
        Archive(
            "snemi.zip",
            "https://zenodo.org/records/7142003/files/snemi.zip?download=1",
            "md5:3d25a7025f66698f33c7850ace885939",
            194_600_000,
        ),
    ),
    volumes=(
        PublicVolume("image/train-input.tif", (100, 1024, 1024)),
        PublicVolume("seg/train-labels.tif", (100, 1024, 1024), ids=(1, 2**16 - 1)),
        PublicVolume("image/test-input.tif", (100, 1024, 1024)),
    ),
    voxel_size_nm=(30.0, 6.0, 6.0),
    terms="CC BY 4.0",
    citation="Kasthuri et al. 2015, Cell 162(3):648-661, doi:10.1016/j.cell.2015.06.054; doi:10.5281/zenodo.7142003",
    traps=(
        "The labels of test-input.tif were not released: the overlay scores sections 80-99 of the training volume.",
        "The challenge scores a central crop of the test volume, so its figures are not those of a whole volume.",
    ),
)
