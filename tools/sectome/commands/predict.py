"""`sectome predict`: a volume of any size to affinities, or to foreground and contour."""

from __future__ import annotations

from collections.abc import Sequence


def predict(
    volume: str,
    output: str,
    bundle: str = "bundles/em_segmentation",
    checkpoint: str | None = None,
    overlap: float = 0.5,
    blending: str = "gaussian",
    batch_size: int = 4,
    orientations: str = "one",
    sections: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
    mask: str | None = None,
    dtype: str = "uint8",
    memory_mib: float = 2048,
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
    device: str | None = None,
    precision: str = "auto",
    compile: bool = False,
) -> None:
    """Predict in bounded memory: affinities for `sectome segment`, foreground and contour for `sectome mitochondria`.

    The same command goes on if stopped.

    Args:
        volume: the volume to read.
        output: the .zarr folder to write.
        bundle: the root of em_segmentation, or of a bundle that was made from it.
        checkpoint: the model; without, the bundle's own.
        overlap: share of a window that the next one covers again.
        blending: weights of a window's voxels: "gaussian", "linear" or "constant".
        batch_size: windows that the network takes at once.
        orientations: take the mean over orientations of a window: "one", "flips" (8 times the work), "in_plane" (y and
            x are exchanged as well, 16 times) or "isotropic" (all axes are, 48 times).
        sections: start,stop of the sections (z) to predict; all without.
        rows: start,stop of the rows (y).
        columns: start,stop of the columns (x).
        mask: a volume of the whole volume's shape, 0 where nothing is wanted.
        dtype: "uint8", where 255 is 1, "float16" or "float32".
        memory_mib: what the values of a slab may take; sections that are wider are predicted in tiles.
        voxel_size_nm: z,y,x in nm, for a volume that does not say it.
        near_voxel_size_nm: z,y,x in nm; of a pyramid the level that is nearest, the finest one without.
        device: cuda:0, cpu; without, a GPU if there is one.
        precision: "bf16", "fp32" or "auto".
        compile: have torch write the network's kernels first, which takes a minute or two.
    """
    from sectome.inference import open_model, predict_volume
    from sectome.tissue import open_tissue
    from sectome.volumes import open_volume

    model = open_model(
        bundle, checkpoint, device=device, precision=precision, orientations=orientations, compile=compile
    )
    entry = {
        "image": volume,
        "sections": sections,
        "rows": rows,
        "columns": columns,
        "near_voxel_size_nm": near_voxel_size_nm,
    }
    tissue = open_tissue([entry], voxel_size_nm, intensity=model.intensity)[0]
    model.check_voxels(tissue.voxel_size_nm, volume)
    predict_volume(
        tissue,
        model.predict,
        output,
        model.channels,
        window=model.window,
        overlap=overlap,
        blending=blending,
        batch_size=batch_size,
        device=model.device,
        dtype=dtype,
        memory_mib=memory_mib,
        mask=None if mask is None else open_volume(mask),
        identity=model.identity(),
    )
    print(f"wrote {output}")
