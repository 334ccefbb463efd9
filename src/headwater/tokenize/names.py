"""What a recipe or a command may name of tokens, packing and formats; light, so that reading a recipe loads no kernel."""

from __future__ import annotations

from typing import Final

__all__ = [
    "DEFAULT_VOCABULARY",
    "EXPORT_FORMATS",
    "FORMATS",
    "MAX_DOCUMENTS",
    "MAX_SOURCES",
    "STRATEGIES",
    "WEIGHT_UNIT",
]

DEFAULT_VOCABULARY: Final = "headwater-156k"
"""The vocabulary that ships, and that a recipe uses when it names none."""

STRATEGIES: Final = ("best_fit", "concatenate", "first_fit")
"""How documents may fill sequences; see ``headwater.tokenize.pack.strategies``."""

FORMATS: Final = ("megatron", "npy", "dolma", "parquet")
"""What a build can be written in; all hold the same sequences in the same order."""

EXPORT_FORMATS: Final = ("mds", "litdata", *FORMATS)
"""What a finished build can be exported to."""

MAX_SOURCES: Final = 3
"""Most sources of a piece that its counts tell apart, and so the most that training can require of a token."""

MAX_DOCUMENTS: Final = 50
"""The same for documents."""

WEIGHT_UNIT: Final = 1024
"""Training rounds the weight of a language to a multiple of one part in this many."""
