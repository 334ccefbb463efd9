"""One line for each step that ended: what it did, how fast and in how many seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from headwater.cli.rendering import Answer, format_bytes, format_count

__all__ = ["format_step"]

_MOST_KINDS: Final = 3
"""Kinds of records passed over that a line names: a crawl has dozens, one for each HTTP status."""


def format_step(step: str, counts: Answer, seconds: float) -> str:
    """Return one line: what a step did, at which speed, in how many seconds.

    >>> format_step("annotate", {"samples": 300, "text_bytes": 4_000_000, "fragments": 2}, 2.0)
    'annotate      300 samples in 2 fragments, 4.0 MB, 2.0 MB/s                                     2.0 s'
    >>> format_step("build", {}, 0.1)
    'build         nothing new                                                                      0.1 s'
    """
    summary = ", ".join(_SUMMARIES[step](counts, seconds)) if counts else "nothing new"
    return f"{step:<13} {summary:<76} {seconds:7.1f} s"


def _ingested(counts: Answer, seconds: float) -> list[str]:
    parts = [f"{format_count(counts.get('records', 0), 'record')} of {format_count(counts.get('files', 0), 'file')}"]
    if counts.get("quarantined"):
        parts.append(f"{counts['quarantined']:,} quarantined{_reasons(counts.get('reasons') or {})}")
    passed_over = counts.get("passed_over") or {}
    if passed_over:
        parts.append(f"{sum(passed_over.values()):,} passed over{_reasons(passed_over, _MOST_KINDS)}")
    parts += [
        f"{counts[name]:,} {name.replace('_', ' ')}"
        for name in ("released", "known_files", "read_again")
        if counts.get(name)
    ]
    if counts.get("unreadable"):
        parts.append(f"{len(counts['unreadable']):,} unreadable")
    return [*parts, *_text(counts, seconds)]


def _reasons(reasons: Mapping[str, int], most: int | None = None) -> str:
    """Return reasons, or kinds, with how many records each has, most frequent first; those beyond ``most`` in one sum."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} {reason}" for reason, count in ordered[:most]]
    if most is not None and len(ordered) > most:
        told.append(f"{sum(count for _, count in ordered[most:]):,} others")
    return f" ({', '.join(told)})" if told else ""


def _extracted(counts: Answer, seconds: float) -> list[str]:
    parts = [format_count(counts["texts"], "text")] if counts.get("texts") else []
    if "pages" in counts:
        parts += [format_count(counts["pages"], "page"), f"{counts['changed']:,} with another text"]
    if counts.get("kept"):
        parts.append(f"{counts['kept']:,} kept theirs")
    return [*parts, *([f"{format_count(counts['forgotten'], 'file')} forgotten"] if counts.get("forgotten") else [])]


def _annotated(counts: Answer, seconds: float) -> list[str]:
    return [_samples(counts), *_text(counts, seconds)]


def _deduplicated(counts: Answer, seconds: float) -> list[str]:
    parts = (
        [_samples(counts)] if "samples" in counts else []
    )  # a recipe may ask for older captures of a lake that has its clusters
    return [*parts, *([format_count(counts["older_captures"], "older capture")] if "older_captures" in counts else [])]


def _decided(counts: Answer, seconds: float) -> list[str]:
    return [_samples(counts), f"{counts['kept']:,} kept"]


def _selected(counts: Answer, seconds: float) -> list[str]:
    cells = counts.get("cells", ())
    return [format_count(_total(cells, "documents"), "document"), format_count(_total(cells, "got"), "token")]


def _scaled(counts: Answer, seconds: float) -> list[str]:
    cells = counts["cells"]
    return [
        format_count(_total(cells, "documents"), "document"),
        f"{_total(cells, 'tokens'):,} of {_total(cells, 'base_tokens'):,} tokens",
    ]


def _built(counts: Answer, seconds: float) -> list[str]:
    shards, tokens, padding = (
        sum(n for name, n in counts.items() if name.startswith(f"{kind}:")) for kind in ("shards", "tokens", "padding")
    )
    parts = [format_count(shards, "shard"), format_count(tokens, "token"), f"{padding:,} padding"]
    return [*parts, f"{tokens / seconds:,.0f} tokens/s"] if tokens and seconds else parts


def _repaired(counts: Answer, seconds: float) -> list[str]:
    return [format_count(counts[f"{noun}s"], noun) for noun in ("shard", "file", "record")]


_SUMMARIES: Final[Mapping[str, Callable[[Answer, float], list[str]]]] = {
    "ingest": _ingested,
    "extract": _extracted,
    "annotate": _annotated,
    "deduplicate": _deduplicated,
    "decide": _decided,
    "select": _selected,
    "scale": _scaled,
    "build": _built,
    "repair": _repaired,
}


def _samples(counts: Answer) -> str:
    within = f" in {format_count(counts['fragments'], 'fragment')}" if "fragments" in counts else ""
    return format_count(counts["samples"], "sample") + within


def _text(counts: Answer, seconds: float) -> list[str]:
    """Return the size of the texts that went through a step, and the rate."""
    size = counts.get("text_bytes")
    if not size:
        return []
    return [format_bytes(size), *([f"{size / seconds / 1e6:.1f} MB/s"] if seconds else [])]


def _total(cells: Sequence[Answer], column: str) -> int:
    return sum(cell[column] for cell in cells)
