"""What a recipe or a command may name of tokens, packing and formats; light, so that reading a recipe loads no kernel."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_VOCABULARY", "EXPORT_FORMATS", "FORMATS", "STRATEGIES"]

DEFAULT_VOCABULARY: Final = "headwater-156k"
"""The vocabulary that ships, and that a recipe uses when it names none."""

STRATEGIES: Final = ("best_fit", "concatenate", "first_fit")
"""How documents may fill sequences; see ``headwater.tokenize.pack.strategies``."""

FORMATS: Final = ("megatron", "npy", "dolma", "parquet")
"""What a build can be written in; all hold the same sequences in the same order."""

EXPORT_FORMATS: Final = ("mds", "litdata", *FORMATS)
"""What a finished build can be exported to."""
