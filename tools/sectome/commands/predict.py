"""`sectome predict`: from a volume of any size to affinities, or to foreground and contour."""

from __future__ import annotations

from collections.abc import Sequence


def predict(
    volume: str,
    output: str,
    bundle: str = "bundles/em_segmentation",
    checkpoint: str | None = None,
    window: Sequence[int] | None = None,
    overlap: float = 0.25,
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

    If it is stopped, the same command resumes.

    Args:
        volume: volume to read.
        output: .zarr folder to write.
        bundle: root folder of em_segmentation, or of a bundle made from it.
        checkpoint: the model; by default the bundle's own.
        window: z,y,x in voxels of a window; by default the size of the training's crops.
        overlap: share of a window that overlaps the next one.
        blending: weights of a window's voxels: "gaussian", "linear" or "constant".
        batch_size: windows per forward pass.
        orientations: orientations of a window to average over: "one", "flips" (8 times the work), "in_plane" (also
            exchanges y and x, 16 times) or "isotropic" (also exchanges all axes, 48 times).
        sections: start,stop of the sections (z) to predict; all by default.
        rows: start,stop of the rows (y).
        columns: start,stop of the columns (x).
        mask: volume in the shape of the whole volume, 0 where no prediction is wanted.
        dtype: "uint8", where 255 stands for 1, "float16" or "float32".
        memory_mib: memory for the values of a slab in MiB; sections too wide for it are predicted in tiles.
        voxel_size_nm: z,y,x in nm, for a volume that does not state it.
        near_voxel_size_nm: z,y,x in nm; selects the pyramid level with the nearest voxel size, by default the finest.
        device: such as cuda:0 or cpu; by default a GPU if there is one.
        precision: "bf16", "fp32" or "auto".
        compile: compile the network with torch first, which takes a minute or two.
    """
    from sectome.inference import open_model, predict_volume
    from sectome.tissue import open_tissue
    from sectome.volumes import open_volume

    model = open_model(
        bundle,
        checkpoint,
        window=window,
        device=device,
        precision=precision,
        orientations=orientations,
        compile=compile,
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
