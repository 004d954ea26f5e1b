"""UNETR: a transformer's tokens in the decoder of a U-Net, after Hatamizadeh et al. 2022 (arXiv:2103.10504)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scripts.unet_parts import Decoder, FullResolution, Levels, pyramid, stem, upsampling
from sectome.checkpoint_file import take_whole_checkpoint
from sectome.checks import InputError
from sectome.encoder import Encoder, token_grid, tokens_to_map
from sectome.types import Shape3


class UNETR(nn.Module):
    """Predict logits for each voxel from tokens of several depths, and from the image at full resolution.

    With `convolutions`, a pyramid of convolutions computes every level from the image and tokens are added to it,
    because tokens alone draw thin membranes poorly. Without, levels between voxels and tokens see the image through
    tokens only, as in the original.

    Args:
        patch_size: patch size (z, y, x) in voxels; powers of two.
        in_channels: channels of the image.
        out_channels: channels of the prediction, such as one per offset.
        hidden_size: width of the encoder.
        depth: blocks of the encoder.
        num_heads: attention heads of the encoder.
        mlp_ratio: width of the encoder's MLPs relative to that of its tokens.
        feature_size: channels at full resolution; each coarser level has as many more.
        full_resolution: layers at full resolution; see `Levels`.
        convolutions: whether to add the pyramid of convolutions.

    Raises:
        InputError: if the patch size or `full_resolution` is invalid, or they leave no level for the tokens.
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
        feature_size: int = 16,
        full_resolution: FullResolution = "sub_pixel",
        convolutions: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(patch_size, in_channels, hidden_size, depth, num_heads, mlp_ratio)
        levels = Levels(self.encoder.patch_size, feature_size, full_resolution)
        steps = len(levels.factors)
        if not steps:
            raise InputError(
                f"patch_size must be 4 or more along at least one axis with full_resolution {full_resolution!r}, which "
                f"has no level for the tokens of smaller patches, got {list(patch_size)}"
            )
        # The coarsest level takes the last block's tokens, finer levels those of earlier blocks.
        self.token_states = [max(1, round(depth * (level + 1) / steps)) - 1 for level in range(steps)]

        self.stem = stem(in_channels, levels)
        self.pyramid = pyramid(levels) if convolutions else None
        self.project = nn.ModuleList(
            project_tokens(hidden_size, levels.channels[level + 1], levels.factors[level + 1 :])
            for level in range(steps)
        )
        self.decoder = Decoder(levels, out_channels)
        self.register_load_state_dict_pre_hook(take_whole_checkpoint)

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, C, Z, Y, X), whose lengths are multiples of the patch, to logits (B, K, Z, Y, X)."""
        grid = token_grid(image, self.encoder.patch_size)
        maps = [tokens_to_map(state, grid) for state in self.encoder(image)]

        skips = [self.stem(image)]
        # TorchScript does not know `strict`, and iterates over several lists of modules only by `zip`.
        if self.pyramid is None:
            for level, project in enumerate(self.project):
                skips.append(project(maps[self.token_states[level]]))
        else:
            for level, (project, down) in enumerate(zip(self.project, self.pyramid)):  # noqa: B905
                skips.append(down(skips[-1]) + project(maps[self.token_states[level]]))
        return self.decoder(skips)


def project_tokens(hidden_size: int, out_channels: int, factors: Sequence[Shape3]) -> nn.Module:
    """Return the layers from a map of tokens to a level: a linear map, then transposed convolutions, coarsest first."""
    steps = [upsampling(out_channels, out_channels, factor) for factor in reversed(factors)]
    return nn.Sequential(nn.Conv3d(hidden_size, out_channels, kernel_size=1), *steps)
