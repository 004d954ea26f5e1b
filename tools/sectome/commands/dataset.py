"""`sectome dataset`: overlays for a lab's own volumes."""

from __future__ import annotations

from collections.abc import Sequence

from sectome.checks import InputError


def dataset(
    name: str,
    images: Sequence[str] = (),
    labels: Sequence[str] = (),
    unlabelled: Sequence[str] = (),
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
    labelled: str = "neurons",
    bundles: str = "bundles",
) -> None:
    """Describe your volumes to both bundles: write configs/datasets/NAME.json with settings that fit them.

    Checks the volumes, splits sections into training and validation, chooses crop, patch and offsets from the voxel
    size, and prints what it chose and the commands to run.

    Args:
        name: of the data set.
        images: volumes that have labels, such as a.h5:raw,b.tif.
        labels: their labels, in the same order.
        unlabelled: further volumes, for pre-training.
        voxel_size_nm: z,y,x in nm, for volumes that do not state it.
        near_voxel_size_nm: z,y,x in nm; selects the pyramid level with the nearest voxel size, by default the finest.
        labelled: what the labels are: neurons, mitochondria, or membranes (masks whose gaps are cells).
        bundles: folder that holds the two bundles.
    """
    from sectome.json_object import as_json, write_json
    from sectome.study.bundle_command import PRETRAIN, SEGMENT, bundle_command, find_bundles, shown
    from sectome.tissue import dataset_overlays

    if not name.isidentifier():
        raise InputError(f"name must be made of letters, digits and underscores, as mine does, got {name!r}")
    roots = find_bundles(bundles)
    overlay = f"configs/datasets/{name}.json"
    for root in roots.values():
        if (root / overlay).exists():
            raise InputError(f"expected a new name, got {name!r}, which {root / overlay} has: remove it first")
    found = dataset_overlays(
        images,
        labels,
        unlabelled,
        voxel_size_nm=voxel_size_nm,
        near_voxel_size_nm=near_voxel_size_nm,
        labelled=labelled,
    )
    contents = {PRETRAIN: found.pretraining, SEGMENT: found.segmentation}
    for bundle, content in contents.items():
        if content is not None:
            write_json(content, roots[bundle] / overlay)

    last = as_json(found.segmentation or found.pretraining)
    for key, reason in found.reasons.items():
        print(f"{key} {last[key]}: {reason}")
    for entry in last["val_data"]:
        print("validation: sections {} to {} of {}".format(*entry["sections"], entry["image"]))
    targets = ["configs/targets/boundary_contour.json"] if labelled == "mitochondria" else []
    for bundle, content in contents.items():
        if content is not None:
            print(f"wrote {roots[bundle] / overlay}; in {roots[bundle]}, train with")
            configs = ["configs/train.json", overlay, *(targets if bundle == SEGMENT else [])]
            runs = f"runs/{name}"
            options = ["--output_dir", runs, "--ckpt_dir", runs]
            if bundle == SEGMENT:
                options += ["--pretrained", f"../{PRETRAIN}/{runs}/model.pt"]
            print(f"  {shown(bundle_command(configs, options))}")
