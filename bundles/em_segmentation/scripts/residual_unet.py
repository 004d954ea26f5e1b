"""The residual symmetric U-Net, the convolutional baseline of the transformer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scripts.unet_parts import Decoder, FullResolution, Levels, pyramid, stem
from sectome.checkpoint_file import take_whole_checkpoint
from sectome.checks import check_whole_triple
from sectome.encoder import token_grid


class ResidualUNet(nn.Module):
    """Predict logits for each voxel by convolutions alone, after Lee et al. 2017 (arXiv:1706.00120).

    Args:
        patch_size: size (z, y, x) in voxels of one voxel of the coarsest level; powers of two.
        in_channels: channels of the image.
        out_channels: channels of the prediction, such as one per offset.
        feature_size: channels at full resolution; each coarser level has as many more.
        full_resolution: layers at full resolution; see `Levels`.

    Raises:
        InputError: if the patch size or `full_resolution` is invalid.
    """

    def __init__(
        self,
        patch_size: Sequence[int] = (4, 16, 16),
        in_channels: int = 1,
        out_channels: int = 12,
        feature_size: int = 16,
        full_resolution: FullResolution = "sub_pixel",
    ) -> None:
        super().__init__()
        self.patch_size = check_whole_triple(patch_size, "patch_size")
        levels = Levels(self.patch_size, feature_size, full_resolution)
        self.stem = stem(in_channels, levels)
        self.pyramid = pyramid(levels)
        self.decoder = Decoder(levels, out_channels)
        self.register_load_state_dict_pre_hook(take_whole_checkpoint)

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, C, Z, Y, X), whose lengths are multiples of the patch, to logits (B, K, Z, Y, X)."""
        token_grid(image, self.patch_size)
        skips = [self.stem(image)]
        for down in self.pyramid:
            skips.append(down(skips[-1]))
        return self.decoder(skips)
