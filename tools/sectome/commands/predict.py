"""`sectome predict`: a volume of any size to affinities."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sectome.checks import InputError


def predict(
    volume: str,
    output: str,
    bundle: str = "bundles/em_segmentation",
    checkpoint: str | None = None,
    overlap: float = 0.5,
    blending: str = "gaussian",
    batch_size: int = 4,
    flips: bool = False,
    sections: Sequence[int] | None = None,
    mask: str | None = None,
    dtype: str = "uint8",
    memory_mib: float = 2048,
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
    device: str | None = None,
    precision: str = "auto",
) -> None:
    """Predict affinities in bounded memory, for `sectome segment`.

    Args:
        volume: the volume to read.
        output: the .zarr folder to write.
        bundle: the root of em_segmentation, or of a bundle that was made from it.
        checkpoint: the model; without, the bundle's own.
        overlap: share of a window that the next one covers again.
        blending: weights of a window's voxels: "gaussian", "linear" or "constant".
        batch_size: windows that the network takes at once.
        flips: take the mean over all flips of a window: eight times the work.
        sections: first,stop of the sections to predict; all without.
        mask: a volume of the same shape, 0 where nothing is wanted.
        dtype: "uint8", where 255 is 1, "float16" or "float32".
        memory_mib: what the values of a slab may take; sections that are wider are predicted in tiles.
        voxel_size_nm: z,y,x in nm, for a volume that does not say it.
        near_voxel_size_nm: z,y,x in nm; of a pyramid the level that is nearest, the finest one without.
        device: cuda:0, cpu; without, a GPU if there is one.
        precision: "bf16", "fp32" or "auto".
    """
    import torch
    from monai.inferers import SimpleInferer

    from sectome.inference import predict_flipped, predict_volume
    from sectome.tissue import open_tissue
    from sectome.trained_settings import warn_of_other_voxels
    from sectome.training import AutocastInferer
    from sectome.volumes import open_volume

    read = read_inference(bundle, checkpoint, device)
    offsets, channels = read("offsets"), read("out_channels")
    if channels != len(offsets):
        raise InputError(
            f"a model of affinities, one channel an offset, was expected at {read('checkpoint')}, got {channels} "
            "channels; others go through configs/inference.json"
        )
    entry: dict[str, Any] = {"image": str(volume)}
    if sections is not None:
        entry["sections"] = list(sections) if isinstance(sections, Sequence) else sections
    if near_voxel_size_nm is not None:
        entry["near_voxel_size_nm"] = near_voxel_size_nm
    tissue = open_tissue([entry], voxel_size_nm, intensity=read("intensity"))[0]
    warn_of_other_voxels(tissue.voxel_size_nm, read("trained").settings.get("voxel_size_nm"), str(volume))
    network = read("network").eval()
    run = AutocastInferer(SimpleInferer(), precision)

    def logits(windows: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            values: torch.Tensor = run(windows, network)
        return values

    predict_volume(
        tissue,
        predict_flipped(logits, offsets) if flips else logits,
        output,
        offsets,
        window=read("crop_size"),
        overlap=overlap,
        blending=blending,
        batch_size=batch_size,
        device=read("device"),
        dtype=dtype,
        memory_mib=memory_mib,
        mask=None if mask is None else open_volume(str(mask)),
    )
    print(f"wrote {output}")


def read_inference(bundle: str | Path, checkpoint: str | None, device: str | None) -> Callable[[str], Any]:
    """Return what makes the parts of a bundle's `inference.json` by name; its `scripts` can be imported from then on.

    Raises:
        InputError: if there is no such bundle; when called, if a part says so.
    """
    from monai.bundle import ConfigParser

    from sectome.bundle import find_input_error

    root = Path(bundle).resolve()
    config = root / "configs" / "inference.json"
    if not config.is_file():
        raise InputError(f"the root of a bundle was expected at {bundle}, got no {config}; give --bundle")
    sys.path.insert(0, str(root))
    parser = ConfigParser()
    parser.read_config(str(config))
    parser["bundle_root"] = str(root)
    if checkpoint is not None:
        parser["checkpoint"] = str(Path(checkpoint).resolve())
    if device is not None:
        parser["device"] = f"$torch.device({str(device)!r})"

    def read(name: str) -> Any:
        try:
            return parser.get_parsed_content(name)
        except RuntimeError as error:
            raise find_input_error(error) or error from None

    return read
