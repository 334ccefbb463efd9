"""A sweep as a picture: what is kept at each value, as a share of what is kept now.

The same sweep gives the same bytes: no date, no random ids, no fonts but the library's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headwater.errors import StorageError
from headwater.extras import needing_extras

# Some 0.3 s: this module is imported only where a picture is asked for, and before the sweep that it would draw.
with needing_extras():
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

if TYPE_CHECKING:
    from headwater.plain import JsonObject

__all__ = ["plot_sweep"]

_MOST_LINES: Final = 10
_MEASURES: Final = ("documents", "bytes", "tokens")


def plot_sweep(found: JsonObject, path: Path, by: str | None = None) -> None:
    """Write a sweep as ``path``, an .svg or .png: a line a measure, or with ``by`` a line of tokens a language, source or stage.

    Keys beyond the ten with most tokens now are left out, and so are those that keep nothing now.

    Args:
        found: answer of ``what_if_sweep``.

    Raises:
        StorageError: the file cannot be written.
    """
    vector = path.suffix.lower() == ".svg"
    fixed = matplotlib.rc_context({"svg.hashsalt": "headwater", "svg.fonttype": "none", "font.family": "DejaVu Sans"})
    with fixed, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in a script that the font lacks is drawn as boxes
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        canvas = FigureCanvasSVG if vector else FigureCanvasAgg
        canvas(figure)
        axes = figure.add_subplot()
        values = [point["value"] for point in found["values"]]
        for label, shares in _lines(found, by).items():
            axes.plot(values, [100 * share for share in shares], marker="o", markersize=3, label=_plain(label))
        if not isinstance(found["now"], Mapping):
            axes.axvline(found["now"], color="0.6", linestyle="--", linewidth=1, label="now")
        named = found["limit"] + (f" ({found['language']})" if found["language"] else "")
        axes.set_xlabel(_plain(named), parse_math=False)
        axes.set_ylabel(f"{'tokens ' if by else ''}kept, % of now")
        axes.grid(color="0.9", linewidth=0.6)
        legend = axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        for text in legend.get_texts():
            text.set_parse_math(False)
        try:
            figure.savefig(path, dpi=120, metadata={"Date": None} if vector else {"Software": None})
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror}; choose a folder that exists and can be written to"
            ) from error


def _lines(found: JsonObject, by: str | None) -> dict[str, list[float]]:
    """Return label → share of now that is kept at each value."""
    points = found["values"]
    if by is None:
        return {measure: [_share(point["kept"][measure]) for point in points] for measure in _MEASURES}
    tokens = [{row[by]: row["tokens"] for row in point[f"by_{by}"]} for point in points]
    now = {key: cell["now"] for point in tokens for key, cell in point.items() if cell["now"]}
    keys = sorted(now, key=lambda key: (-now[key], key))[:_MOST_LINES]
    return {key: [_share(point[key]) for point in tokens] for key in keys}


def _share(cell: Mapping[str, int]) -> float:
    return cell["then"] / cell["now"] if cell["now"] else 0.0


def _plain(label: str) -> str:
    """Return a label without characters that XML may not hold; a leading underscore would hide it from the legend."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in label)
    return f" {shown}" if shown.startswith("_") else shown
