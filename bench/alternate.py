"""Two ways of doing the same work, timed in turns; what is reported is a ratio.

On a machine that others use too, the same work takes longer at one moment than at the next. So the sides alternate (A B A B …), the
ratio is the median of the quotients of neighbours, and seconds are those of the processor, so that waiting for it does not count; the
time on the wall stands beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median

from bench.figures import Figures

__all__ = ["Seconds", "Side", "absent", "alternate", "compare", "timed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """How long one repetition took: processor time of all threads of the process, and wall time."""

    cpu: float
    wall: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        what: a line for the report.
        run: does the work once and says how long it took.
        details: version, command and the like, as they are to be printed.
    """

    what: str
    run: Callable[[], Seconds]
    details: Figures = field(default_factory=dict)


def timed(work: Callable[[], object]) -> Callable[[], Seconds]:
    """Return a function that runs `work` in this process and says how long it took."""

    def run() -> Seconds:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return Seconds(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)

    return run


def alternate(sides: list[Side], repetitions: int) -> list[list[Seconds]]:
    """Run all sides in turns and return the repetitions of each."""
    found: list[list[Seconds]] = [[] for _ in sides]
    for _ in range(repetitions):
        for side, times in zip(sides, found, strict=True):
            times.append(side.run())
    return found


def compare(ours: Side, peer: Side, n_bytes: int, repetitions: int) -> Figures:
    """Return figures of both sides, and as `ratio` the quotient of the peer's processor time and ours.

    Args:
        n_bytes: of text, the same for both sides.
    """
    times = alternate([ours, peer], repetitions)
    quotients = [theirs.cpu / own.cpu for own, theirs in zip(*times, strict=True)]
    return {
        "ratio": significant(median(quotients)),
        "ratios": [significant(quotient) for quotient in quotients],
        "reason": None,
        "megabytes": significant(n_bytes / 1e6),
        "headwater": figures(ours, times[0], n_bytes),
        "peer": figures(peer, times[1], n_bytes),
    }


def absent(reason: str) -> Figures:
    """Return what stands in the report where there is no peer to compare with."""
    return {"ratio": None, "reason": reason}


def figures(side: Side, times: list[Seconds], n_bytes: int) -> Figures:
    """Return the medians of one side: MB/s a core, and its repetitions in seconds."""
    return {
        "what": side.what,
        "mb_per_cpu_s": significant(n_bytes / 1e6 / median(time.cpu for time in times)),
        "mb_per_wall_s": significant(n_bytes / 1e6 / median(time.wall for time in times)),
        "seconds": [{name: significant(value) for name, value in asdict(time).items()} for time in times],
        **side.details,
    }


def significant(value: float) -> float:
    """Return three significant digits: the machine's noise has fewer.

    >>> significant(0.0123456), significant(98765.4)
    (0.0123, 98800.0)
    """
    return float(f"{value:.3g}")
