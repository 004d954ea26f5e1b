"""Lets a torchvision that was built for CUDA be imported beside a torch for the CPU; copied to `sitecustomize.py`.

Such a torchvision cannot load its operators, and then fails where it describes them to torch. MONAI Label uses none of
them: their declaration is enough.
"""

import importlib.abc
import sys

OPERATORS = ("nms", "qnms")


class DeclareOperators(importlib.abc.MetaPathFinder):
    """Declares the operators when torchvision is first looked for; finds nothing itself."""

    def find_spec(self, name, path=None, target=None):
        """Return None: the usual finders go on."""
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in OPERATORS:
                self.library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
            # The declarations go with the library that made them.
            sys.modules[__name__].declared = self.library


sys.meta_path.insert(0, DeclareOperators())
