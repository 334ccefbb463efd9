"""Who hears of runs as they begin, commit and end: nobody, unless events were asked for.

This module stands between the steps and what makes events of them, which is imported only where somebody asked: without, a run pays for
looking at an empty list.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.lineage.runs import Run, Unit
    from headwater.warehouse.snapshot import Snapshot

__all__ = ["Cause", "Listener", "events_to", "listener", "whole_run"]

Cause = Callable[[BaseException], "HeadwaterError | None"]
"""Finds the error of Headwater's own in one that Spark raised; None where there is none."""
OWN_VARIABLE: Final = "HEADWATER_OPENLINEAGE_URL"
_CLIENT_VARIABLES: Final = ("OPENLINEAGE_URL", "OPENLINEAGE__")


class Listener(Protocol):
    """What hears of the runs of this process."""

    def began(self, run: Run) -> None:
        """Hear that a run began."""

    def committed(self, run: Run, units: Sequence[Unit], snapshot: Snapshot) -> None:
        """Hear that a wave was committed; ``snapshot`` is the table after it."""

    def ended(self, run: Run, snapshot: Snapshot) -> None:
        """Hear that a run ended well."""

    def began_whole(self, lake: str, recipe: Mapping[str, object]) -> None:
        """Hear that a whole job began, whose steps' runs follow."""

    def closed(self, error: BaseException | None) -> None:
        """Hear that no more follows: what is still open ended well, or with an error."""


_listeners: Final[list[Listener]] = []


def listener() -> Listener | None:
    """Return who hears of runs, or None."""
    return _listeners[-1] if _listeners else None


@contextlib.contextmanager
def events_to(place: str | None = None, recipes: str | None = None, cause: Cause | None = None) -> Iterator[None]:
    """Tell of the runs within as OpenLineage events, where somebody asked for them; what is asked for already stays.

    Args:
        place: URL or file that the call names; before the environment's.
        recipes: the recipe's ``[lineage]``; after the environment's.
        cause: for what a FAIL says of an error of Spark's.

    Raises:
        UsageError: a place that is none.
    """
    if _listeners or not (place or recipes or _environment_asks()):
        yield
        return
    from headwater.lineage.openlineage.emitter import open_emitter

    emitter = open_emitter(place, recipes, cause)
    if emitter is None:
        yield
        return
    _listeners.append(emitter)
    try:
        yield
    except BaseException as error:
        emitter.closed(error)
        raise
    else:
        emitter.closed(None)
    finally:
        _listeners.remove(emitter)


@contextlib.contextmanager
def whole_run(lake: str, recipe: Mapping[str, object], recipes: str | None = None) -> Iterator[None]:
    """Tell of the runs within as steps of one job.

    Args:
        recipe: its literals.
        recipes: its ``[lineage]``, which counts where nobody has asked for events elsewhere.
    """
    with events_to(recipes=recipes):
        heard = listener()
        if heard is None:
            yield
            return
        heard.began_whole(lake, recipe)
        try:
            yield
        except BaseException as error:
            heard.closed(error)
            raise
        heard.closed(None)


def _environment_asks() -> bool:
    return any(name == OWN_VARIABLE or name.startswith(_CLIENT_VARIABLES) for name in os.environ)
