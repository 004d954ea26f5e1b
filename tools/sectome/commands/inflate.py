"""`sectome inflate`: a 2D vision transformer's weights as a 3D encoder."""

from __future__ import annotations

from collections.abc import Sequence


def inflate(weights: str, output: str, num_heads: int, patch_size: Sequence[int] = (4, 16, 16)) -> None:
    """Make a 3D encoder from a 2D vision transformer (timm, DINO, MAE), for --pretrained of em_segmentation.

    Fine-tune with the hidden_size, depth, num_heads and patch_size that this command prints.

    Args:
        weights: a .pth or .pt file of plain tensors under timm's names.
        output: the checkpoint to write.
        num_heads: attention heads of the transformer: 3, 6 and 12 for ViT-Ti, ViT-S and ViT-B.
        patch_size: size of a 3D patch, z,y,x in voxels.
    """
    from sectome.inflate import inflate as inflate_weights

    encoder = inflate_weights(weights, output, patch_size, num_heads)
    pz, py, px = encoder.patch_size
    print(
        f"wrote {output}; use it with --pretrained {output} --hidden_size {encoder.hidden_size} "
        f"--depth {encoder.depth} --num_heads {num_heads} --patch_size '[{pz},{py},{px}]'"
    )
