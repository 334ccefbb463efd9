"""Empty names in the place of what mosaicml-streaming imports and tokens never use.

torchvision has no build for its torch without CUDA, and the last transformers that the library takes does not install beside
the other packages; it needs them for images and for tokenizers alone.
"""

from __future__ import annotations

import sys
import types

__all__ = ["put_stand_ins"]

_NAMES = {
    "torchvision": (),
    "torchvision.datasets": ("VisionDataset",),
    "torchvision.transforms": (),
    "torchvision.transforms.functional": ("to_tensor",),
    "transformers": (),
    "transformers.feature_extraction_utils": ("BatchFeature",),
    "transformers.tokenization_utils_base": ("BatchEncoding",),
    "transformers.models": (),
    "transformers.models.auto": (),
    "transformers.models.auto.tokenization_auto": ("AutoTokenizer",),
}


def put_stand_ins() -> None:
    """Make the names importable."""
    for name, attributes in _NAMES.items():
        module = types.ModuleType(name)
        module.__path__ = []
        for attribute in attributes:
            setattr(module, attribute, type(attribute, (), {}))
        sys.modules[name] = module
