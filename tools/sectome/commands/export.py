"""`sectome export`: a trained network in formats for other programs."""

from __future__ import annotations

from pathlib import Path

from sectome.checks import InputError, check_file_to_write, check_installed

NEEDED = {".onnx": ("onnx", "onnxscript"), ".zip": ("onnx", "onnxscript", "bioimageio.spec")}
"""Packages of the extra "export" that each output suffix needs."""


def export(bundle: str, output: str, license: str | None = None, checkpoint: str | None = None) -> None:
    """Write a trained affinity network as ONNX, or as a bioimage.io model (docs/exports.md).

    Args:
        bundle: root folder of em_segmentation, or of a bundle made from it.
        output: the .onnx or .zip file to write; its suffix selects the format.
        license: SPDX identifier of the weights' licence, required for a .zip. The shipped weights are CC-BY-4.0.
        checkpoint: the model; by default the bundle's own.
    """
    path = Path(output)
    if path.suffix not in NEEDED:
        raise InputError(
            f"the output must end in .onnx or .zip, got {output}; for TorchScript: python -m monai.bundle ckpt_export"
        )
    if path.exists():
        raise InputError(f"the output must be a new file, got {output}, which exists")
    check_file_to_write(path)
    if path.suffix == ".zip" and license is None:
        raise InputError("--license must be given for a .zip, such as CC-BY-4.0 for the shipped weights, got none")
    if path.suffix != ".zip" and license is not None:
        raise InputError(f"--license must be given for a .zip only, got {license} for {output}")
    for package in NEEDED[path.suffix]:
        check_installed(package, f"an export to {path.suffix}", "export")
    from sectome.export import open_for_export, write_bioimageio_package, write_onnx
    from sectome.replace import replacing

    model = open_for_export(bundle, checkpoint)
    if path.suffix == ".zip":
        write_bioimageio_package(model, path, str(license))
    else:
        with replacing(path) as partial:
            write_onnx(model.network, partial, model.patch_size)
    print(f"wrote {output}")
