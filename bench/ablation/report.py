"""What the losses say: means over seeds, differences to chance with intervals, and the same as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy import special

from bench.ablation.documents import CLASSES
from bench.figures import Figures

__all__ = ["interval", "markdown", "summary"]

_LEVEL: Final = 0.95
_BASE: Final = "random"


def interval(values: Sequence[float]) -> Figures:
    """Return mean and half the width of the 95 % interval of Student's t over seeds; the width is null for one seed.

    >>> interval([1.0, 2.0, 3.0])
    {'mean': 2.0, 'half_width': 2.4841}
    """
    sample = np.asarray(values, np.float64)
    if len(sample) < 2:
        return {"mean": round(float(sample.mean()), 4), "half_width": None}
    error = float(sample.std(ddof=1)) / float(np.sqrt(len(sample)))
    width = error * float(special.stdtrit(len(sample) - 1, (1 + _LEVEL) / 2))
    return {"mean": round(float(sample.mean()), 4), "half_width": round(width, 4)}


def summary(losses: Mapping[str, Sequence[Mapping[str, float]]], classes: Mapping[str, str]) -> Figures:
    """Return by reference text, and by class as the mean of its texts, bits per byte of each arm and the paired difference to `random`.

    Args:
        losses: by arm one mapping a seed, in the same order of seeds: bits per byte by reference text.
        classes: by reference text.
    """
    groups = {name: [name] for name in sorted(classes, key=lambda name: (CLASSES.index(classes[name]), name))}
    by_class = {kind: [name for name in groups if classes[name] == kind] for kind in CLASSES}
    found: Figures = {"classes": {}, "texts": {}}
    for part, members in (("classes", by_class), ("texts", groups)):
        for title, names in members.items():
            if not names:
                continue
            means = {arm: [float(np.mean([one[name] for name in names])) for one in losses[arm]] for arm in losses}
            found[part][title] = {
                arm: {
                    "bits_per_byte": interval(values),
                    "against_random": interval([a - b for a, b in zip(values, means[_BASE], strict=True)]),
                }
                for arm, values in means.items()
            }
    return found


def markdown(part: Figures, arms: Sequence[str]) -> str:
    """Return a table: for each class (bold) and its texts what `random` has, then how much more (+) or less each arm needs."""
    others = [arm for arm in arms if arm != _BASE]
    lines = [
        "| bits per byte | random | " + " | ".join(arm.replace("_", " ") for arm in others) + " |",
        "|---" * (len(others) + 2) + "|",
    ]
    for group, bold in (("classes", "**"), ("texts", "")):
        for title, row in part[group].items():
            cells = []
            for arm in others:
                figure = row[arm]["against_random"]
                width = "" if figure["half_width"] is None else f" ± {figure['half_width']:.3f}"
                cells.append(f"{figure['mean']:+.3f}{width}")
            base = row[_BASE]["bits_per_byte"]["mean"]
            lines.append(f"| {bold}{title}{bold} | {base:.3f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
