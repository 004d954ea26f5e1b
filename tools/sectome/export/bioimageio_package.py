"""A trained network as a model of bioimage.io (format 0.5), for programs such as deepImageJ and bioimageio.core."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sectome.checks import InputError
from sectome.export.exported_model import ExportedModel
from sectome.export.onnx_file import OPSET, write_onnx
from sectome.phantom import make_phantom
from sectome.phantom.phantom import SMALLEST_SHAPE
from sectome.replace import replacing
from sectome.types import AXES, FloatArray, Offset

EPSILON = 1e-6
"""Term that bioimage.io adds to a standard deviation before it divides by it."""


def write_bioimageio_package(model: ExportedModel, path: str | Path, licence: str) -> None:
    """Write a zip of weights (TorchScript and ONNX), a description, test arrays, a page and a cover picture.

    The test arrays and the cover show synthetic tissue. No network access is needed.

    Args:
        model: the network and its metadata.
        path: the .zip file.
        licence: SPDX identifier of the weights' licence, such as "CC-BY-4.0".

    Raises:
        InputError: if the format does not accept the bundle's metadata or the licence.
    """
    from bioimageio.spec import ValidationContext, save_bioimageio_package
    from bioimageio.spec.model import v0_5
    from pydantic import TypeAdapter, ValidationError

    try:
        # Checked separately, because pydantic's message for it would list all licences.
        TypeAdapter(v0_5.LicenseId | v0_5.DeprecatedLicenseId).validate_python(licence)
    except ValidationError:
        raise InputError(
            f"--license must be an identifier from https://spdx.org/licenses, such as CC-BY-4.0, got {licence!r}"
        ) from None
    with tempfile.TemporaryDirectory() as name, replacing(Path(path)) as partial:
        folder = Path(name)
        write_parts(model, folder)
        # Citations are DOIs and everything else is a file, so that these checks access nothing but files.
        with _quiet_packaging(), ValidationContext(root=folder, log_warnings=False, progressbar=False):
            try:
                description = describe(model, folder, licence)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                raise InputError(
                    f"{place} must be what bioimage.io accepts ({first['msg']}), got {first['input']!r}"
                ) from None
            save_bioimageio_package(description, output_path=partial)


@contextmanager
def _quiet_packaging() -> Iterator[None]:
    """Hide bioimageio.spec's warnings about mappings with a "source" and about files that it leaves open."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found mapping with 'source'", UserWarning)
        warnings.filterwarnings("ignore", "unclosed file", ResourceWarning)
        yield


def write_parts(model: ExportedModel, folder: Path) -> None:
    """Write weights.ts, weights.onnx, test_input.npy, test_output.npy, cover.png, README.md and the bundle's pages."""
    torch.jit.save(torch.jit.script(model.network), str(folder / "weights.ts"))
    write_onnx(model.network, folder / "weights.onnx", model.patch_size)
    # The crop of a network for single sections is thinner than the smallest phantom.
    shape = tuple(map(max, model.crop_size, SMALLEST_SHAPE))
    z, y, x = model.crop_size
    image = make_phantom(shape, model.voxel_size_nm, 0).raw[:z, :y, :x].astype(np.float32)
    affinities = predicted(model, image)
    np.save(folder / "test_input.npy", image[None, None])
    np.save(folder / "test_output.npy", affinities[None])
    _write_cover(folder / "cover.png", image, affinities)
    (folder / "README.md").write_text(page(model), encoding="utf-8")
    for name, text in model.documents.items():
        (folder / name).write_text(text, encoding="utf-8")


def predicted(model: ExportedModel, image: FloatArray) -> FloatArray:
    """Predict affinities (K, Z, Y, X) of grey values (Z, Y, X), with the processing that the description declares."""
    standardised = (image - image.mean()) / (image.std() + EPSILON)
    with torch.no_grad():
        affinities: FloatArray = model.network(torch.from_numpy(standardised)[None, None]).sigmoid()[0].numpy()
    return affinities


def describe(model: ExportedModel, folder: Path, licence: str) -> Any:
    """Return bioimage.io's description of the files in a folder, a `ModelDescr`.

    Raises:
        pydantic.ValidationError: if the description does not fit the format.
    """
    from bioimageio.spec.model import v0_5

    def part(name: str) -> dict[str, Any]:
        return {"source": folder / name}

    metadata = model.metadata
    space = [
        {"type": "space", "id": axis, "unit": "nanometer", "scale": edge}
        for axis, edge in zip(AXES, model.voxel_size_nm, strict=True)
    ]
    sizes = zip(space, model.crop_size, model.patch_size, strict=True)
    image = {
        "id": "image",
        "description": "grey values of electron microscopy",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["grey"]},
            # At least the training crop, plus whole patches.
            *({**axis, "size": {"min": crop, "step": patch}, "concatenable": True} for axis, crop, patch in sizes),
        ],
        "test_tensor": part("test_input.npy"),
        "data": {"type": "float32"},
        "preprocessing": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": AXES, "eps": EPSILON}}],
    }
    affinities = {
        "id": "affinities",
        "description": "probability that a voxel belongs to the same object as the voxel at an offset",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": [channel_name(offset) for offset in model.offsets]},
            *(
                {**axis, "size": {"tensor_id": "image", "axis_id": axis["id"]}, **halo_of(crop, patch)}
                for axis, crop, patch in zip(space, model.crop_size, model.patch_size, strict=True)
            ),
        ],
        "test_tensor": part("test_output.npy"),
        "data": {"type": "float32", "range": (0.0, 1.0)},
        "postprocessing": [{"id": "sigmoid"}],
    }
    return v0_5.ModelDescr.model_validate(
        {
            "name": metadata["name"],
            "description": metadata["description"],
            "version": metadata["version"],
            "authors": [{"name": metadata["authors"]}],
            "cite": citations(metadata["references"]),
            "license": licence,
            "documentation": part("README.md"),
            "covers": [part("cover.png")],
            "attachments": [part(name) for name in model.documents],
            "tags": ["electron-microscopy", "connectomics", "3d", "instance-segmentation", "affinities", "monai"],
            "inputs": [image],
            "outputs": [affinities],
            "weights": {
                "torchscript": {**part("weights.ts"), "pytorch_version": torch.__version__.split("+")[0]},
                "onnx": {**part("weights.onnx"), "opset_version": OPSET, "parent": "torchscript"},
            },
            "config": {"sectome": {"offsets": [list(offset) for offset in model.offsets]}},
            "format_version": v0_5.ModelDescr.implemented_format_version,
            "type": "model",
        }
    )


def halo_of(crop: int, patch: int) -> dict[str, int]:
    """Return the halo to cut off along an axis: a patch, or less where nothing of the smallest input would remain."""
    halo = min(patch, (crop - patch) // 2)
    return {"halo": halo} if halo else {}


def channel_name(offset: Offset) -> str:
    """Return the channel name of an offset (z, y, x), such as "z_minus_9" or "y_minus_3_x_plus_1"."""
    steps = zip(AXES, offset, strict=True)
    return "_".join(f"{axis}_{'minus' if step < 0 else 'plus'}_{abs(step)}" for axis, step in steps if step)


def citations(references: Sequence[str]) -> list[dict[str, str]]:
    """Return those references that name a DOI or an arXiv number, with their DOI."""
    entries = []
    for text in references:
        doi = re.search(r"\b10\.\d{4,}/\S*\w", text)
        arxiv = re.search(r"arXiv:(\d{4}\.\d{4,5})", text)
        if doi or arxiv:
            entries.append({"text": text, "doi": doi[0] if doi else f"10.48550/arXiv.{arxiv[1]}"})  # type: ignore[index]
    return entries


def page(model: ExportedModel) -> str:
    """Return the documentation in Markdown: input, output, and the bundle's own pages."""
    names = [f"- `{channel_name(offset)}`: offset {offset}" for offset in model.offsets]
    own = [f"## {name}\n{text}" for name, text in model.documents.items()]
    voxel = " x ".join(f"{edge:g}" for edge in model.voxel_size_nm)
    patch, crop = (" x ".join(map(str, size)) for size in (model.patch_size, model.crop_size))
    return "\n".join(
        [
            f"# {model.metadata['name']}",
            model.metadata["description"],
            "",
            (
                f"Input: grey values with voxels of {voxel} nm (z, y, x), each length a multiple of the patch ({patch} "
                f"voxels); the training crops were {crop}. They are standardised by the mean and deviation of the "
                "input, the whole volume if it fits."
            ),
            "",
            "Output: for each voxel and each offset (z, y, x), whether the voxel at that offset is in the same object:",
            *names,
            "",
            f"Affinities are not objects yet: `sectome segment` makes them. {model.metadata['intended_use']}",
            "",
            "## Validation",
            "Compare segments of labelled tissue that the training did not see with their truth, by variation of "
            "information and adapted Rand error (`sectome evaluate`).",
            "",
            *own,
        ]
    )


def _write_cover(path: Path, image: FloatArray, affinities: FloatArray) -> None:
    """Draw the middle section as grey values, and beside it its first three affinities as colours."""
    from PIL import Image

    section = image.shape[0] // 2
    side = min(image.shape[1:])
    grey = image[section, :side, :side]
    grey = (grey - grey.min()) / (np.ptp(grey) or 1)
    colours = np.moveaxis(np.resize(affinities, (3, *affinities.shape[1:]))[:, section, :side, :side], 0, -1)
    both = np.hstack([np.repeat(grey[..., None], 3, axis=2), colours])
    pixels = Image.fromarray((255 * both).astype(np.uint8))
    pixels.resize((768, 384), Image.Resampling.NEAREST).save(path)
