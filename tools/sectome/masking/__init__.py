"""The choice of tokens that are hidden from the masked autoencoder."""

from sectome.masking.draw_mask import MASK_KINDS, MaskKind, check_mask, draw_mask
from sectome.masking.kept import check_mask_ratio, count_kept

__all__ = ["MASK_KINDS", "MaskKind", "check_mask", "check_mask_ratio", "count_kept", "draw_mask"]
