"""Prints as JSON what mosaicml-streaming reads of an MDS folder.

Usage: python read_mds.py REMOTE LOCAL HASH

REMOTE is copied shard by shard to LOCAL with each one's hash checked, as from an object store. The library imports
torchvision, which has no build for its torch without CUDA, and transformers, whose last version that it takes does not
install beside the others; both only for images and tokenizers, so names without content stand in for them here.
"""

from __future__ import annotations

import json
import sys
import types


def stand_in(name: str, *attributes: str) -> None:
    """Put an empty module in the place of one that is imported and never used."""
    module = types.ModuleType(name)
    module.__path__ = []
    for attribute in attributes:
        setattr(module, attribute, type(attribute, (), {}))
    sys.modules[name] = module


stand_in("torchvision")
stand_in("torchvision.datasets", "VisionDataset")
stand_in("torchvision.transforms")
stand_in("torchvision.transforms.functional", "to_tensor")
stand_in("transformers")
stand_in("transformers.feature_extraction_utils", "BatchFeature")
stand_in("transformers.tokenization_utils_base", "BatchEncoding")
stand_in("transformers.models")
stand_in("transformers.models.auto")
stand_in("transformers.models.auto.tokenization_auto", "AutoTokenizer")

import numpy  # noqa: E402 - after the stand-ins
from streaming import StreamingDataset  # noqa: E402 - after the stand-ins

remote, local, hash_name = sys.argv[1:]
try:
    dataset = StreamingDataset(remote=remote, local=local, shuffle=False, batch_size=1, validate_hash=hash_name)
    samples = [dataset[place] for place in range(len(dataset))]
except Exception as error:  # the test looks at whatever the library raises
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    sys.exit(0)
columns = {
    name: [
        value.hex() if isinstance(value, bytes) else numpy.asarray(value).tolist()
        for value in (s[name] for s in samples)
    ]
    for name in samples[0]
}
print(json.dumps({"columns": columns, "dtype": str(samples[0]["tokens"].dtype), "numpy": numpy.__version__}))
