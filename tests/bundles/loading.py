"""Loads bundles' networks one after the other, and prints whether each has the weights of its file, or what was wrong.

Its arguments are the folder of the bundles, and JSON: a list of a bundle and the keywords of `monai.bundle.load`.
"""

from __future__ import annotations

import json
import sys

import monai.bundle
import torch

from sectome.bundle import find_input_error


def main() -> None:
    """Load and compare."""
    folder = sys.argv[1]
    for bundle, keywords in json.loads(sys.argv[2]):
        try:
            network = monai.bundle.load(bundle, bundle_dir=folder, device="cpu", **keywords)
        except RuntimeError as error:
            print("RESULT InputError:", find_input_error(error))
            continue
        saved = torch.load(f"{folder}/{bundle}/models/model.pt", weights_only=True)["model"]
        prefix = keywords.get("copy_model_args", {}).get("dst_prefix", "")
        own = network.state_dict()
        same = len(own) == len(saved) and all(
            torch.equal(own[prefix + name], value.to(own[prefix + name].dtype)) for name, value in saved.items()
        )
        print("RESULT", "equal" if same else "different")


if __name__ == "__main__":
    main()
