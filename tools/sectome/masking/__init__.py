"""Which tokens the masked autoencoder does not see."""

from sectome.masking.random_mask import count_kept, random_mask

__all__ = ["count_kept", "random_mask"]
