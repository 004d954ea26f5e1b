"""The UNETR for anisotropic patches: a transformer's tokens and a convolutional pyramid meet in one decoder.

Built from MONAI's UNETR blocks after Hatamizadeh et al. 2022 (arXiv:2103.10504), with two changes. Patches and
up-sampling are anisotropic: a factor of 2 is applied along an axis only as often as the patch asks. And beside the
tokens, strided convolutions bring the image itself to every scale, because tokens of 4x16x16 voxels alone draw thin
membranes poorly.
"""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.blocks.dynunet_block import UnetOutBlock, get_conv_layer
from monai.networks.blocks.unetr_block import UnetrBasicBlock, UnetrUpBlock
from torch import Tensor, nn

from sectome.checks import InputError, check_patch_divides
from sectome.encoder import Encoder, load_encoder
from sectome.types import Shape3


def scale_factors(patch_size: Sequence[int]) -> list[Shape3]:
    """Return the down-sampling of each step from voxels to tokens, finest first, each 1 or 2 an axis.

    An axis with a smaller patch is halved late, when the voxels have become about cubic: (4, 16, 16) gives
    (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2).

    Raises:
        InputError: if a patch's length is no power of two, or the patch is a single voxel.
    """
    halvings = []
    for length in patch_size:
        if length < 1 or length & (length - 1):
            raise InputError(f"a patch's lengths must be powers of two for the UNETR, got {tuple(patch_size)}")
        halvings.append(length.bit_length() - 1)
    steps = max(halvings)
    if not steps:
        raise InputError(f"a patch must be longer than one voxel along some axis, got {tuple(patch_size)}")
    factors = []
    for step in range(steps):
        z, y, x = (2 if step >= steps - count else 1 for count in halvings)
        factors.append((z, y, x))
    return factors


class UNETR(nn.Module):
    """Predict one logit an offset for each voxel.

    Args:
        patch_size: voxels of a patch (z, y, x), powers of two.
        in_channels: channels of the image.
        out_channels: channels of the prediction, one an offset.
        hidden_size: width of the encoder.
        depth: blocks of the encoder.
        num_heads: heads of the encoder.
        mlp_ratio: width of the encoder's MLPs over its own.
        feature_size: channels at full resolution; doubled with each step down.
        pretrained: a mae_pretrain checkpoint whose encoder is loaded strictly; empty trains from scratch.

    Raises:
        InputError: if the patch does not suit, or the checkpoint's encoder has another depth, width or patch.
    """

    def __init__(
        self,
        patch_size: Sequence[int] = (4, 16, 16),
        in_channels: int = 1,
        out_channels: int = 12,
        hidden_size: int = 192,
        depth: int = 6,
        num_heads: int = 3,
        mlp_ratio: float = 4.0,
        feature_size: int = 8,
        pretrained: str = "",
    ) -> None:
        super().__init__()
        self.factors = scale_factors(patch_size)
        steps = len(self.factors)
        channels = [feature_size * 2**level for level in range(steps)]

        self.encoder = Encoder(patch_size, in_channels, hidden_size, depth, num_heads, mlp_ratio)
        self.token_states = [max(1, round(depth * level / steps)) - 1 for level in range(1, steps)]

        self.stem = UnetrBasicBlock(3, in_channels, channels[0], kernel_size=3, stride=1, norm_name="instance")
        self.down = nn.ModuleList(
            UnetrBasicBlock(3, fine, coarse, kernel_size=3, stride=factor, norm_name="instance", res_block=True)
            for fine, coarse, factor in zip(channels, channels[1:], self.factors, strict=False)
        )
        self.project = nn.ModuleList(
            project_tokens(hidden_size, channels[level], self.factors[level:]) for level in range(1, steps)
        )
        self.up = nn.ModuleList(
            UnetrUpBlock(3, coarse, fine, kernel_size=3, upsample_kernel_size=factor, norm_name="instance")
            for fine, coarse, factor in zip(channels, [*channels[1:], hidden_size], self.factors, strict=True)
        )
        self.out = UnetOutBlock(3, channels[0], out_channels)
        if pretrained:
            load_encoder(self.encoder, pretrained)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, Z, Y, X), each length a multiple of the patch, to logits (B, K, Z, Y, X)."""
        grid = check_patch_divides(self.encoder.patch_size, image.shape[2:])
        states = self.encoder(image)
        # Tokens (B, N, hidden), N over (gz, gy, gx) with x fastest -> (B, hidden, gz, gy, gx)
        maps = [state.transpose(1, 2).reshape(-1, self.encoder.hidden_size, *grid) for state in states]

        skips = [self.stem(image)]
        features = skips[0]
        for down, project, state in zip(self.down, self.project, self.token_states, strict=True):
            features = down(features)
            skips.append(features + project(maps[state]))

        features = maps[-1]
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            features = up(features, skip)
        return self.out(features)


def project_tokens(hidden_size: int, out_channels: int, factors: Sequence[Shape3]) -> nn.Sequential:
    """Return transposed convolutions that bring a map of tokens up by `factors`, listed finest first."""
    widths = [hidden_size] + [out_channels] * len(factors)
    return nn.Sequential(
        *(
            get_conv_layer(3, wide, out_channels, kernel_size=factor, stride=factor, conv_only=True, is_transposed=True)
            for wide, factor in zip(widths, reversed(factors), strict=False)
        )
    )
