"""What a changed definition of an operator does to a lake, for measuring a backfill.

The driver alone knows definitions: it computes each operator's fingerprint from its version and gives tasks the families to write. A version
that is raised in the driver is therefore all that a release with another definition would change in what is read and written; the rows
stay the same, which is what makes it a measurement and not another operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headwater.filters.duplicates import minhash
from headwater.filters.language import identify as language
from headwater.filters.scores import score as scores
from headwater.filters.signals import measure as signals
from headwater.filters.spans import find as spans
from headwater.pipelines.recipe.operators import ANNOTATED
from headwater.warehouse.snapshot import Snapshot

__all__ = ["changed_definitions", "live_files", "raisable", "raise_definition"]

_SPANS = "spans"
_TOKENS = "tokens"  # defined by its vocabulary; it reads spans and follows them
_MODULES = {"language": language, "signals": signals, "scores": scores, "minhash": minhash}


def raisable() -> list[str]:
    """Return the annotated families that have a version of their own."""
    return [family for family in ANNOTATED if family != _TOKENS]


def raise_definition(family: str) -> None:
    """Raise the version of the operator behind `family` for the rest of this process.

    Raises:
        KeyError: the family's module has no version to raise.
    """
    if family == _SPANS:
        for name in spans.OPERATORS:
            spans.OPERATORS[name] += 1
        return
    vars(_MODULES[family])["VERSION"] += 1


@contextmanager
def changed_definitions(families: list[str]) -> Iterator[None]:
    """Raise the versions of `families` inside a block, and put them back after it."""
    modules = {family: _MODULES[family] for family in families if family != _SPANS}
    versions = {family: vars(module)["VERSION"] for family, module in modules.items()}
    of_spans = dict(spans.OPERATORS)
    for family in families:
        raise_definition(family)
    try:
        yield
    finally:
        for family, module in modules.items():
            vars(module)["VERSION"] = versions[family]
        spans.OPERATORS.update(of_spans)


def live_files(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return the size in bytes of each live file by its path, by family."""
    found: dict[str, dict[str, int]] = {}
    columns = (snapshot.files[name].to_pylist() for name in ("family", "path", "size"))
    for family, path, size in zip(*columns, strict=True):
        found.setdefault(family, {})[path] = size
    return found
