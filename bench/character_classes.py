"""Write the class of every code point as the regular expression engine of `tokenizers` has it, in runs.

python bench/character_classes.py src/headwater/tokenize/data/character_classes.json.xz
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, pre_tokenizers

from headwater.tokenize.encode.grammar import class_patterns

__all__ = ["measure_classes"]


def measure_classes() -> npt.NDArray[np.uint8]:
    """Return uint8 [0x110000]: for each class, what the engine does not leave over when all its matches are removed."""
    scalars = np.array([code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF])
    text = "".join(map(chr, scalars.tolist()))
    classes = np.zeros(0x110000, dtype=np.uint8)
    for number, pattern in enumerate(class_patterns(), start=1):
        matched = np.ones(len(scalars), dtype=bool)
        for _, (begin, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(text):
            matched[begin:end] = False
        if classes[scalars[matched]].any():
            raise ValueError(f"class {number} overlaps an earlier one")
        classes[scalars[matched]] = number
    return classes


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    classes = measure_classes()
    begins = np.concatenate([[0], np.flatnonzero(np.diff(classes)) + 1])
    content = {
        "format": 1,
        "classes": classes[begins].tolist(),
        "lengths": np.diff(np.append(begins, len(classes))).tolist(),
    }
    parser.parse_args().output.write_bytes(lzma.compress(json.dumps(content).encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
