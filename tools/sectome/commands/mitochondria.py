"""`sectome mitochondria`: from foreground and contour to objects."""

from __future__ import annotations

from collections.abc import Sequence


def mitochondria(
    maps: str,
    output: str,
    seed_foreground: float | None = None,
    seed_contour: float | None = None,
    foreground: float | None = None,
    seed_distance: float | None = None,
    min_seed_voxels: int | None = None,
    min_size_voxels: int | None = None,
    checkpoint: str | None = None,
    voxel_size_nm: Sequence[float] | None = None,
) -> None:
    """Turn foreground and contour, with or without distance, into mitochondria by a seeded watershed.

    Options that are not given take the values that an evaluation chose for the model, else the defaults in brackets.

    Args:
        maps: a .zarr folder that `sectome predict` wrote, or an .npy file (2 or 3, Z, Y, X): foreground, contour,
            distance.
        output: label volume to write.
        seed_foreground: least foreground of a seed (0.9).
        seed_contour: value that the contour of a seed stays below (0.8).
        foreground: least foreground of an object (0.85).
        seed_distance: least distance of a seed, if there is a distance map (0.5).
        min_seed_voxels: smaller seeds are dropped (32).
        min_size_voxels: smaller objects become background (128).
        checkpoint: the model; the options stored beside it are used.
        voxel_size_nm: z,y,x in nm, for an .npy file.
    """
    from sectome.map_file import StoredMaps
    from sectome.postprocess import BoundaryContourOptions, boundary_contour_to_labels
    from sectome.volumes import write_result
    from sectome.volumes.other_place import check_output

    check_output(output, maps)
    options = BoundaryContourOptions.for_model(checkpoint).but(
        seed_foreground=seed_foreground,
        seed_contour=seed_contour,
        foreground=foreground,
        seed_distance=seed_distance,
        min_seed_voxels=min_seed_voxels,
        min_size_voxels=min_size_voxels,
    )
    source = StoredMaps(maps, voxel_size_nm)
    values = source.read_all()
    labels = boundary_contour_to_labels(values[:2], values[2] if len(values) == 3 else None, **vars(options))
    write_result(output, labels, voxel_size_nm=source.voxel_size_nm, offset_nm=source.offset_nm)
    print(f"wrote {output}: {int(labels.max(initial=0))} objects")
