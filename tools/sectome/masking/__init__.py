"""Which tokens the masked autoencoder does not see."""

from sectome.masking.block_mask import block_mask
from sectome.masking.draw_mask import MASK_KINDS, MaskKind, check_mask, draw_mask
from sectome.masking.kept import check_mask_ratio, count_kept
from sectome.masking.random_mask import random_mask
from sectome.masking.section_mask import section_mask
from sectome.masking.tube_mask import tube_mask

__all__ = [
    "MASK_KINDS",
    "MaskKind",
    "block_mask",
    "check_mask",
    "check_mask_ratio",
    "count_kept",
    "draw_mask",
    "random_mask",
    "section_mask",
    "tube_mask",
]
