"""The streaming prediction as a replacement for MONAI's sliding window, for volumes in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.utils import convert_to_dst_type
from torch import Tensor
from tqdm import tqdm

from sectome.checks import check_whole_number, check_whole_triple
from sectome.inference.blended_slabs import blended_slabs
from sectome.inference.orientations import check_exchanged, check_voxels_exchanged, predict_oriented
from sectome.inference.window_grid import window_grid
from sectome.transforms.in_plane import mirror
from sectome.types import Offsets


class StreamingInferer(Inferer):
    """A `SlidingWindowInferer` that blends windows slab by slab and holds only one slab besides its result.

    Args:
        roi_size: window size (z, y, x) in voxels.
        sw_batch_size: windows per call of the network, at most.
        overlap: fraction of a window that the next one covers too.
        mode: weighting of a window's voxels: "gaussian", "linear" or "constant".
        output_device: device of the result; None for that of the inputs.
        progress: whether to show a progress bar.
        orientations: orientations of a window to average over; see `predict_oriented`.
        offsets: (z, y, x) offsets of the network's channels if they are affinities.

    Raises:
        InputError: if the window is not three whole numbers of at least 1, the orientations are unknown or do not suit
            it, or the batch size is below 1; when called, if the orientations do not suit the offsets or the voxel size
            in an image's metadata ("voxel_size_nm"), or a number is out of range.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        sw_batch_size: int = 1,
        overlap: float = 0.25,
        mode: str = "gaussian",
        output_device: torch.device | str | None = None,
        progress: bool = False,
        orientations: str = "one",
        offsets: Offsets | None = None,
    ) -> None:
        self.roi_size = check_whole_triple(roi_size, "roi_size")
        self.sw_batch_size = check_whole_number(sw_batch_size, 1, "sw_batch_size")
        self.overlap = overlap
        self.mode = mode
        self.output_device = output_device
        self.progress = progress
        self.orientations = orientations
        self.offsets = offsets
        check_exchanged(orientations, self.roi_size, "windows")

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the network's values (B, C, Z, Y, X) for images (B, 1, Z, Y, X), with the images' metadata.

        An image thinner than a window is extended by reflection, like crops in training.
        """
        if isinstance(inputs, MetaTensor) and "voxel_size_nm" in inputs.meta:
            for size_nm in torch.as_tensor(inputs.meta["voxel_size_nm"]).reshape(-1, 3).tolist():
                check_voxels_exchanged(self.orientations, size_nm, "the image")
        padded = inputs.as_subclass(Tensor)
        for axis, (size, extent) in enumerate(zip(self.roi_size, inputs.shape[2:], strict=True), start=2):
            if extent < size:
                padded = padded.index_select(axis, mirror(torch.arange(size, device=inputs.device), extent))
        grid = window_grid(padded.shape[2:], self.roi_size, self.overlap, self.mode)
        crop = tuple(slice(0, extent) for extent in inputs.shape[2:])
        device = self.output_device or inputs.device
        result: Tensor | None = None
        windows_in_all = len(inputs) * math.prod(len(starts) for starts in grid.starts)
        bar = tqdm(total=windows_in_all, unit="windows", disable=not self.progress)

        oriented = predict_oriented(lambda windows: network(windows, *args, **kwargs), self.orientations, self.offsets)

        def predict(windows: Tensor) -> Tensor:
            values = oriented(windows)
            bar.update(len(windows))
            return values

        for number, image in enumerate(padded[:, 0]):
            slabs = blended_slabs(
                image.__getitem__,
                predict,
                grid,
                batch_size=self.sw_batch_size,
                device=inputs.device,
            )
            for slab in slabs:
                if result is None:
                    result = torch.empty(len(inputs), slab.values.shape[0], *grid.shape, device=device)
                result[number, :, slab.start : slab.start + slab.values.shape[1]] = slab.values.to(device)
        bar.close()
        assert result is not None
        cropped = result[(slice(None), slice(None), *crop)]
        return convert_to_dst_type(cropped, inputs, dtype=cropped.dtype, device=cropped.device)[0]
