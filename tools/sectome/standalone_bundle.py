"""A standalone bundle, whose configs fit its weights, so that programs that take no overlays can run it."""

from __future__ import annotations

import filecmp
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from sectome.bundle import top_key
from sectome.bundle_folder import PAGES_OF_WEIGHTS
from sectome.checks import InputError, check_whole_triple
from sectome.described import describe
from sectome.did_you_mean import did_you_mean
from sectome.json_object import read_json_object, write_json
from sectome.postprocess import tuned_path
from sectome.replace import replacing
from sectome.trained_settings import TrainedSettings, settings_path
from sectome.transforms import described_normaliser

OF_NETWORK = (
    "crop_size",
    "patch_size",
    "isotropic",
    "offsets",
    "erode_steps",
    "channels",
    "out_channels",
    "hidden_size",
    "depth",
    "num_heads",
    "decoder_hidden_size",
    "decoder_depth",
    "decoder_num_heads",
    "target",
    "feature_size",
    "full_resolution",
    "convolutions",
)
"""Settings of a training that a later training must repeat to start from its weights."""

MERGED = ("train.json", "evaluate.json", "inference.json")
"""Configs into which overlays are merged."""

_COPIED = ("LICENSE", "large_files.yml", "configs/**/*", "docs/**/*", "scripts/**/*.py")

_OTHER_WEIGHTS = """\
**The weights of this bundle are not the shipped ones that this page tells of.** What they are: `models/model.json` and
`configs/metadata.json`. The pages about the shipped weights are not part of it.

"""


def make_standalone_bundle(
    source: str | Path,
    output: str | Path,
    checkpoint: str | Path | None = None,
    overlays: Sequence[str | Path] = (),
    label: str = "neuron",
) -> None:
    """Write a bundle whose train, evaluate and inference configs need no overlay and no override for its weights.

    With other weights than the source's, the pages about the source's are left out, and the metadata name no data set.

    Args:
        source: folder of a bundle.
        output: folder or `.zip` file to write; a `.zip` holds one folder of its name.
        checkpoint: the model, copied with the settings and thresholds beside it; None for the source's own.
        overlays: config files, in the order of the command line; a relative path that does not exist is looked up in
            the source's `configs`. Each config takes the keys that it has itself, except those of the network and the
            targets, which the model's settings give.
        label: what one object of the result is, as MONAI Label shows it.

    Raises:
        InputError: if the source is no bundle, there is no such model or overlay, no config has a key of an overlay,
            the output exists, the overlays make another network or other targets than the model's, the model was only
            pre-trained but the bundle segments or vice versa, or its grey values were normalised in a way that no
            overlay gives and sectome does not know.
    """
    source, output = Path(source), Path(output)
    if not (source / "configs" / "metadata.json").is_file():
        raise InputError(f"source must be the folder of a bundle, with configs/metadata.json, got {source}")
    if output.exists():
        raise InputError(f"output must not exist yet, got {output}")
    model = Path(checkpoint) if checkpoint else source / "models" / "model.pt"
    settings = TrainedSettings(model)
    trained = settings.settings
    if not model.is_file():
        raise InputError(f"expected a model at {model}, got no such file")
    given = [(str(overlay), read_json_object(_find_overlay(source, overlay), "a config")) for overlay in overlays]
    overlaid = {key: value for _, content in given for key, value in content.items()}
    configs = {name: read_json_object(source / "configs" / name, "a config") for name in MERGED}
    _check_keys(overlaid, configs)
    train = configs["train.json"]
    if "out_channels" in train:
        settings.check_fine_tuned()
    elif "out_channels" in trained:
        raise InputError(
            f"expected a model that was trained with {source}, got {model}, which is of a bundle that segments"
        )
    _check_made(source, model, trained, train, given)
    remade = any(overlaid.get(key, train.get(key)) != train.get(key) for key in ("network_name", "channels"))
    own = not remade and _same_file(model, source / "models" / "model.pt")
    # A data set's overlay says how to train by default; the model may have been trained otherwise.
    fitting = {key: value for key, value in overlaid.items() if key not in OF_NETWORK or key not in trained}
    metadata = _describe(read_json_object(source / "configs" / "metadata.json", "metadata"), trained, label)
    if not own:
        metadata["data_source"] = "chosen by whoever trained the weights: see train_data in models/model.json"
    if remade:
        metadata |= _purpose(_spoken(trained.get("channels")))
    with replacing(output) as partial:
        folder = partial.with_name(partial.name + ".folder") if output.suffix == ".zip" else partial
        try:
            _copy(source, folder)
            if not own:
                _leave_out_pages(folder / "docs")
            for name, config in configs.items():
                merged = _merge(config, fitting, trained if name == "train.json" else {})
                write_json(merged, folder / "configs" / name)
            write_json(metadata, folder / "configs" / "metadata.json")
            (folder / "models").mkdir()
            shutil.copyfile(model, folder / "models" / "model.pt")
            shutil.copyfile(settings_path(model), folder / "models" / "model.json")
            if (thresholds := _find_thresholds(source, model, trained)) is not None:
                shutil.copyfile(thresholds, folder / "models" / thresholds.name)
            if output.suffix == ".zip":
                _pack(folder, partial, output.stem)
        finally:
            if folder is not partial:
                shutil.rmtree(folder, ignore_errors=True)


def _find_overlay(source: Path, overlay: str | Path) -> Path:
    for path in (Path(overlay), source / "configs" / overlay):
        if path.is_file():
            return path
    raise InputError(
        f"an overlay must be a config file, got {overlay}, which exists neither there nor in {source}/configs"
    )


def _find_thresholds(source: Path, model: Path, trained: Mapping[str, Any]) -> Path | None:
    """Return the file of a model's thresholds: beside it, or beside the weights that its training started from.

    The path of those weights is relative to the working directory of the training, usually the source.
    """
    weights = trained.get("weights")
    for path in (model, *((source / weights, weights) if weights else ())):
        if (tuned := tuned_path(path)).is_file():
            return tuned
    return None


def _check_keys(overlaid: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> None:
    known = sorted({key for config in configs.values() for key in config})
    for key in overlaid:
        if (top := top_key(key)) not in known:
            raise InputError(f"an overlay must hold keys of a config only, got {top!r}{did_you_mean(top, known)}")


def _check_made(
    source: Path,
    model: Path,
    trained: Mapping[str, Any],
    config: Mapping[str, Any],
    given: Sequence[tuple[str, Mapping[str, Any]]],
) -> None:
    """Raise an `InputError` if a config with the overlays makes another network or other targets than the model's."""
    # A model from before there were other targets names no channels: it predicts affinities.
    trained = {"channels": None, **trained}
    for key, setting, folder in (("network_name", "network", "networks"), ("channels", "channels", "targets")):
        if key not in config or setting not in trained:
            continue
        own, wanted = config[key], trained[setting]
        made = [own, *(content[key] for _, content in given if key in content)][-1]
        if made == wanted:
            continue
        advice = [f"leave out {name}" for name, content in given if content.get(key, wanted) != wanted]
        if own != wanted:
            for path in sorted((source / "configs" / folder).glob("*.json")):
                if read_json_object(path, "a config").get(key, own) == wanted:
                    advice.append(f"add {folder}/{path.name}")
        raise InputError(
            f"overlays must describe what {model} was trained as ({_spoken(wanted)}), got {_spoken(made)}; "
            f"{' and '.join(advice) or 'name the bundle and the overlays of its training'}"
        )


def _spoken(made: str | Sequence[str] | None) -> str:
    """Return in words what a config makes: a network by name, or the channels of its targets."""
    return f"network {made}" if isinstance(made, str) else " and ".join(made or ["affinities"])


def _merge(config: Mapping[str, Any], overlaid: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in overlaid.items() if top_key(key) in config}
    parser = ConfigParser(dict(config))
    parser.update(own)
    parser.update({name: trained[name] for name in OF_NETWORK if name in trained and name in config})
    if "intensity" in trained and not any(top_key(key) == "intensity" for key in own):
        # Only sectome's normalisers are accepted: settings beside weights must not name code to run.
        normaliser = described_normaliser(trained["intensity"])
        name = f"sectome.transforms.{type(normaliser).__name__}"
        parser.update({"intensity": {**describe(normaliser), "_target_": name}})
    contours = {name: trained.get(f"contour_{name}") for name in ("width_voxels", "in_plane")}
    parser.update({f"loss#{name}": value for name, value in contours.items() if value is not None})
    merged: dict[str, Any] = parser.get()
    merged.pop("_meta_", None)
    return merged


def _describe(metadata: dict[str, Any], trained: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Return metadata with the input of these weights and the output of inference."""
    formats = metadata["network_data_format"]
    tensors = [*formats["inputs"].values(), *formats["outputs"].values()]
    for tensor in tensors:
        tensor["spatial_shape"] = list(check_whole_triple(trained["crop_size"], "crop_size of the model"))
    prediction = next(iter(formats["outputs"].values()))
    if "out_channels" in trained:
        prediction["num_channels"] = trained["out_channels"]
        prediction["channel_def"] = {"0": "background", "1": label}
    return metadata


def _purpose(made: str) -> dict[str, str]:
    """Return the metadata that fit any network with these targets."""
    return {
        "name": f"EM segmentation by {made}",
        "task": "Instance segmentation of objects in electron microscopy volumes",
        "description": f"A network predicts {made} of objects; inference makes labels of them, one id an object.",
    }


def _same_file(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def _leave_out_pages(docs: Path) -> None:
    """Remove the pages about the source's own weights, and say so in README.md, which names them."""
    pages = [docs / name for name in PAGES_OF_WEIGHTS if (docs / name).is_file()]
    for page in pages:
        page.unlink()
    readme = docs / "README.md"
    if pages and readme.is_file():
        readme.write_text(_OTHER_WEIGHTS + readme.read_text(encoding="utf-8"), encoding="utf-8")


def _copy(source: Path, folder: Path) -> None:
    for pattern in _COPIED:
        for path in sorted(source.glob(pattern)):
            if path.is_file():
                target = folder / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def _pack(folder: Path, archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, f"{name}/{path.relative_to(folder)}")
