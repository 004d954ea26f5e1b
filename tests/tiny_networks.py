"""Where the bundles are, and settings of networks that train in seconds."""

from pathlib import Path

BUNDLES = Path(__file__).parents[1] / "bundles"

TINY = {
    "mae_pretrain": {"depth": 2, "hidden_size": 48, "decoder_hidden_size": 24, "decoder_depth": 1},
    "em_segmentation": {"depth": 2, "hidden_size": 48, "feature_size": 4},
}

SMALLEST = {
    "hidden_size": 24,
    "depth": 2,
    "num_heads": 2,
    "feature_size": 4,
    "full_resolution": "sub_pixel",
    "convolutions": True,
}
"""Settings of the smallest network of affinities, as `model.json` names them."""
