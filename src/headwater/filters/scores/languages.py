"""The languages of a batch as numbers, so that what a model has by language is looked up once for each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Languages", "encode_languages", "of_languages"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Languages:
    """Languages of n texts.

    Attributes:
        names: the distinct ones; None where a text has none.
        code: int64 [n], number of each text's among ``names``.
    """

    names: tuple[str | None, ...]
    code: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.code)


def encode_languages(languages: Sequence[str | None] | Languages) -> Languages:
    """Return languages as numbers; what is such already is returned as it is.

    >>> encode_languages(["en", None, "en"]).code.tolist()
    [0, 1, 0]
    """
    if isinstance(languages, Languages):
        return languages
    encoded = pa.array(languages, pa.string()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    code = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
    return Languages(names=(*names, None), code=code)


def of_languages(values: Mapping[str, float], other: float, languages: Languages) -> npt.NDArray[np.float64]:
    """Return float64 [n]: the number of each text's language, or ``other`` where it has none.

    >>> of_languages({"en": 2.0}, 0.5, encode_languages(["en", None, "fr"])).tolist()
    [2.0, 0.5, 0.5]
    """
    table = [values.get(name, other) if name is not None else other for name in languages.names]
    return np.array(table, np.float64)[languages.code]
