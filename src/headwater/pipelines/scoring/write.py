"""A trained model's files: the model, its words, its card for people, its report for programs, and a picture of the calibration."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

from headwater.pipelines.scoring.report import markdown_of
from headwater.pipelines.scoring.train import Trained
from headwater.plain import JsonObject

__all__ = ["card_of", "draw_calibration", "write_trained"]


def write_trained(made: Trained, folder: Path) -> list[Path]:
    """Write the files of a model into a folder and return their paths, the model's first."""
    folder.mkdir(parents=True, exist_ok=True)
    name = made.model.name
    files = {f"{name}.json": made.data}
    if made.words_data is not None:
        files[f"{name}.ftz"] = made.words_data
    pictures: dict[str, bytes] = {}
    for by, figures in made.report["held_out"].items() if isinstance(made.report["held_out"], Mapping) else ():
        if (picture := draw_calibration(figures.get("calibration"))) is not None:
            pictures[f"{name}.{by}.png"] = picture
    files[f"{name}.report.json"] = (json.dumps(made.report, ensure_ascii=False, indent=1) + "\n").encode()
    files[f"{name}.md"] = card_of(made, list(pictures)).encode()
    files |= pictures
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return [folder / file for file in files]


def card_of(made: Trained, pictures: list[str]) -> str:
    """Return the card of a model in Markdown: what it is, of what it was made, and every figure of the report."""
    card = made.model.card
    examples = made.report["examples"]
    lines = [
        f"# Score model {made.model.name}",
        "",
        f"SHA-256 `{made.model.sha256}`" + (f", words `{made.model.words.sha256}`" if made.model.words else "") + ".",
        "",
        str(card["about"]) or "What it is for was not said.",
        "",
        f"Licence of the examples: {card['licence']}.",
        "",
        "## Examples",
        "",
        markdown_of(examples),
        "",
        "## Settings",
        "",
        markdown_of(_flat(card["settings"]) | _flat(card["trained"])),
    ]
    held = made.report["held_out"]
    if isinstance(held, Mapping):
        for by, figures in held.items():
            lines += ["", f"## Held out by {by}", "", markdown_of(figures)]
    else:
        lines += ["", "## Held out", "", f"**{str(held).capitalize()}.**"]
    lines += [text for picture in pictures for text in ("", f"![Calibration]({picture})")]
    return "\n".join(lines) + "\n"


def _flat(values: object) -> JsonObject:
    """Return nested settings as one table."""
    found: JsonObject = {}
    for key, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            found[key] = (
                ", ".join(map(str, value)) if isinstance(value, list | tuple) else "none" if value is None else value
            )
    return found


def draw_calibration(table: object) -> bytes | None:
    """Return a picture of a calibration table as PNG, the same bytes every time; None where matplotlib is not installed or there is no table."""
    if not isinstance(table, list) or not table:
        return None
    with contextlib.suppress(ModuleNotFoundError):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 4), dpi=100)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axes.plot([row["mean_score"] for row in table], [row["mean_label"] for row in table], marker="o")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="mean score", ylabel="mean label")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None}, bbox_inches="tight")
        return stream.getvalue()
    return None
