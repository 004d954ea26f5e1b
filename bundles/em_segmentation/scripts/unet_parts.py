"""Shared parts of the segmentation networks: the levels from voxels to patches, the stem and the decoder.

The decoder is that of the residual symmetric U-Net of Lee et al. 2017 (arXiv:1706.00120) on MONAI's blocks: skips are
added, not concatenated, each level has one residual unit, and channels grow by the same number at each level. A network
spends most of its time at full resolution, so the layers there can be chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from monai.networks.blocks import Convolution, ResidualUnit
from monai.networks.blocks.dynunet_block import get_conv_layer
from torch import Tensor, nn

from scripts.instance_norm import INSTANCE_NORM
from sectome.checks import InputError, check_choice, check_counts
from sectome.types import Shape3

FullResolution = Literal["residual", "single", "sub_pixel"]
FULL_RESOLUTION: tuple[FullResolution, ...] = get_args(FullResolution)


def scale_factors(patch_size: Sequence[int]) -> list[Shape3]:
    """Return the down-sampling factors, 1 or 2 per axis, of each step from voxels to patches, finest first.

    Axes with a shorter patch are halved late, when voxels have become about cubic: (4, 16, 16) gives (1, 2, 2),
    (1, 2, 2), (2, 2, 2), (2, 2, 2).

    Raises:
        InputError: if a length of the patch is not a power of two, or the patch is a single voxel.
    """
    halvings = []
    for length in patch_size:
        if length < 1 or length & (length - 1):
            raise InputError(f"each length of patch_size must be a power of two, got {tuple(patch_size)}")
        halvings.append(length.bit_length() - 1)
    steps = max(halvings)
    if not steps:
        raise InputError(f"patch_size must be greater than 1 along at least one axis, got {tuple(patch_size)}")
    factors = []
    for step in range(steps):
        z, y, x = (2 if step >= steps - count else 1 for count in halvings)
        factors.append((z, y, x))
    return factors


class Levels:
    """The resolution levels of a network, from fine to coarse.

    Args:
        patch_size: patch size (z, y, x) in voxels; a patch is one voxel of the coarsest level.
        feature_size: channels at full resolution; each coarser level has as many more.
        full_resolution: layers at full resolution: "residual" units as elsewhere, a "single" convolution on either
            side, or none: "sub_pixel" starts with a strided convolution and ends by shuffling channels into voxels.

    Attributes:
        stem_factor: Down-sampling of the stem; 1 along each axis except for "sub_pixel".
        factors: Down-sampling from each level to the next coarser one.
        channels: Number of channels of each level.

    Raises:
        InputError: if the patch size is invalid (see `scale_factors`), there is no channel, or `full_resolution` is
            unknown.
    """

    def __init__(self, patch_size: Sequence[int], feature_size: int, full_resolution: FullResolution) -> None:
        check_counts(feature_size=feature_size)
        self.full_resolution = check_choice(full_resolution, FULL_RESOLUTION, "full_resolution")
        steps: list[Shape3] = [(1, 1, 1), *scale_factors(patch_size)]
        channels = [feature_size * (level + 1) for level in range(len(steps))]
        # The factor (1, 2, 2) means that voxels are thick along z, where neighbours are less alike than in x and y.
        self.flat_kernel = (1, 3, 3) if steps[1][0] == 1 else (3, 3, 3)
        if full_resolution == "sub_pixel":
            steps, channels = steps[1:], channels[1:]
        self.stem_factor, *self.factors = steps
        self.channels = channels


def convolution(in_channels: int, out_channels: int, kernel_size: Sequence[int], strides: Sequence[int]) -> Convolution:
    """Return a convolution with norm and activation."""
    return Convolution(
        3, in_channels, out_channels, strides, kernel_size, act="LEAKYRELU", norm=INSTANCE_NORM, bias=False
    )


def residual_unit(in_channels: int, out_channels: int) -> ResidualUnit:
    """Return two 3x3x3 convolutions with a shortcut: the identity, or a 1x1x1 convolution if channels change."""
    return ResidualUnit(3, in_channels, out_channels, subunits=2, act="LEAKYRELU", norm=INSTANCE_NORM, bias=False)


def upsampling(in_channels: int, out_channels: int, factor: Shape3) -> nn.Module:
    """Return a transposed convolution that turns each voxel into a box of `factor` voxels."""
    return get_conv_layer(3, in_channels, out_channels, factor, factor, conv_only=True, is_transposed=True)


def stem(in_channels: int, levels: Levels) -> nn.Module:
    """Return the layers that map the image (B, C, Z, Y, X) to the finest level."""
    channels = levels.channels[0]
    if levels.full_resolution == "residual":
        return residual_unit(in_channels, channels)
    if levels.full_resolution == "single":
        return convolution(in_channels, channels, levels.flat_kernel, (1, 1, 1))
    return nn.Sequential(
        convolution(in_channels, channels, (3, 3, 3), levels.stem_factor), residual_unit(channels, channels)
    )


def pyramid(levels: Levels) -> nn.ModuleList:
    """Return the steps from each level to the next coarser one: max pooling and a residual unit."""
    return nn.ModuleList(
        nn.Sequential(nn.MaxPool3d(factor), residual_unit(fine, coarse))
        for factor, (fine, coarse) in zip(levels.factors, pairwise(levels.channels), strict=True)
    )


class Decoder(nn.Module):
    """Upsample the coarsest level to voxels, adding each level's skip.

    Args:
        levels: levels of the network.
        out_channels: channels of the prediction.
    """

    def __init__(self, levels: Levels, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(
            upsampling(coarse, fine, factor)
            for factor, (fine, coarse) in zip(levels.factors, pairwise(levels.channels), strict=True)
        )
        self.units = nn.ModuleList(residual_unit(channels, channels) for channels in levels.channels[:-1])
        finest = levels.channels[0]
        if levels.full_resolution == "single":
            self.units[0] = convolution(finest, finest, levels.flat_kernel, (1, 1, 1))
        self.stem_factor = levels.stem_factor
        fz, fy, fx = levels.stem_factor
        self.out = nn.Conv3d(finest, out_channels * fz * fy * fx, kernel_size=1)

    def forward(self, skips: list[Tensor]) -> Tensor:
        """Map one tensor (B, C, Z, Y, X) per level, finest first, to logits (B, K, Z, Y, X) at full resolution."""
        features = skips[-1]
        # TorchScript knows neither `strict` nor `reversed` for modules, and calls modules of a slice only by `forward`.
        for step, (up, unit) in enumerate(zip(self.up[::-1], self.units[::-1])):  # noqa: B905
            features = unit.forward(up.forward(features) + skips[-2 - step])
        return channels_to_voxels(self.out(features), self.stem_factor)


def channels_to_voxels(image: Tensor, factor: Shape3) -> Tensor:
    """Shuffle (B, K * fz * fy * fx, Z, Y, X) into (B, K, Z * fz, Y * fy, X * fx), the 3D form of Shi et al. 2016."""
    fz, fy, fx = factor
    if fz == fy == fx == 1:
        return image
    batch, _, z, y, x = image.shape
    # (B, K, fz, fy, fx, Z, Y, X) -> (B, K, Z, fz, Y, fy, X, fx)
    split = image.reshape(batch, -1, fz, fy, fx, z, y, x).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return split.reshape(batch, -1, z * fz, y * fy, x * fx)
