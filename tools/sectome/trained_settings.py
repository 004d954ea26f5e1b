"""The settings of a network's training, kept beside its weights, so that inference need not be given them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sectome.checks import InputError
from sectome.differences import differences
from sectome.geometry import are_alike, rounded
from sectome.json_object import read_json_object, read_object


def settings_path(model: str | Path) -> Path:
    """Return the path of a checkpoint's settings: `model.json` beside `model.pt`, or in the folder `model`."""
    model = Path(model)
    return model / "model.json" if model.is_dir() else model.with_suffix(".json")


def warn_of_other_voxels(voxel_size_nm: Sequence[float], trained_nm: Sequence[float] | None, name: str) -> None:
    """Warn if a volume's voxels differ from those that a model was trained on by more than a quarter along an axis.

    Args:
        voxel_size_nm: voxel size of the volume (z, y, x).
        trained_nm: voxel size of the training (z, y, x); None if the model does not state it.
        name: name of the volume.
    """
    if trained_nm is not None and not are_alike(voxel_size_nm, trained_nm):
        warnings.warn(
            f"{name} has voxels of {rounded(voxel_size_nm)} nm along (z, y, x), but the model was trained on "
            f"{rounded(trained_nm)}: convert the volume, choose another level of a pyramid, or train on such voxels",
            UserWarning,
            stacklevel=3,
        )


def warn_of_other_start(model: str | Path, settings: Mapping[str, Any]) -> None:
    """Warn if a training starts from weights trained with another voxel size or another scaling of grey values.

    Args:
        model: the checkpoint; "" for a training that starts from none.
        settings: settings of the training; "voxel_size_nm" and "intensity" are compared, if the checkpoint has them.
    """
    trained = read_object(settings_path(model)) if model else {}
    before = {name: trained[name] for name in ("voxel_size_nm", "intensity") if name in trained}
    if "voxel_size_nm" in before and are_alike(settings["voxel_size_nm"], before["voxel_size_nm"]):
        del before["voxel_size_nm"]
    for difference in differences(before, {name: settings[name] for name in before}):
        warnings.warn(
            f"{model} was trained with {difference}: what it learned there may be of little use here",
            UserWarning,
            stacklevel=2,
        )


class TrainedSettings:
    """The settings that a training wrote beside a checkpoint, by their names in its config.

    Args:
        model: the checkpoint.

    Attributes:
        settings: all settings, to look up those that a model may lack.

    Raises:
        InputError: if there is no such file or it holds no settings; also on access to a setting that it lacks.
    """

    def __init__(self, model: str | Path) -> None:
        self.path = settings_path(model)
        if not self.path.is_file():
            raise InputError(
                f"expected a trained model at {model} with its settings in {self.path}, got no such file; name another "
                "--checkpoint, or train first"
            )
        self.settings = read_json_object(self.path, "a model's settings")

    def __getitem__(self, name: str) -> Any:
        if name in ("offsets", "out_channels"):
            self.check_fine_tuned()
        if name not in self.settings:
            raise InputError(f"{self.path} must give the model's {name}, got {', '.join(self.settings) or 'nothing'}")
        return self.settings[name]

    def check_fine_tuned(self) -> None:
        """Raise an `InputError` if the model was only pre-trained and cannot segment."""
        if "mask_ratio" in self.settings:
            raise InputError(
                f"expected a model of affinities beside {self.path}, got one that was pre-trained to predict hidden "
                "voxels; fine-tune it first, with --pretrained"
            )
