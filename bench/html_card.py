"""Print the figures of the card of main text: ``docs/cards/main-text.md``.

    python -m bench.html_card ../shared/web            # our own choice, cross-validated by site (some 5 minutes of a core)
    python -m bench.html_card ../shared/web --peers    # and trafilatura and resiliparse on the same pages (minutes)
    python -m bench.html_card ../shared/web --speed    # speed of each step of our own

Sites are cut in four; each quarter is judged by a model that was trained, all stages and weights of words included, on the other
three. Texts are what `write_text` writes. Of WCXB: mean over pages of the F1 of words; of segments: F1 of all segments together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from bench.html_pages import MarkedPage, read_segments, read_wcxb, segment_counts, segments_f1, word_f1
from bench.train_blocks import Prepared, decode_body, fit_model, prepare_pages
from headwater.filters.html.choice_model import load_choice_model
from headwater.filters.html.choose import choose_blocks
from headwater.filters.html.nodes import node_table
from headwater.filters.html.parse import normal_html
from headwater.filters.html.write import write_text
from headwater.filters.language import identify as language

__all__ = ["card_figures", "cross_validate", "main"]

FOLDS: Final = 4
_BY_THEMSELVES: Final = ("de", "en")

Figures = dict[str, float | str | dict[str, float]]


def card_figures(pages: Sequence[MarkedPage], texts: Sequence[str], kinds: Sequence[str] | None = None) -> Figures:
    """Return the scores of texts, by kind of page and by language; `kinds` are the kinds told, if any."""
    by_kind, by_language = defaultdict(list), defaultdict(list)
    languages = _languages(pages)
    for page, text, its_language in zip(pages, texts, languages, strict=True):
        if page.set == "wcxb":
            by_kind[page.kind].append(word_f1(text, page.text))
        else:
            by_language[its_language if its_language in _BY_THEMSELVES else "others"].append(segment_counts(text, page))
    figures: Figures = {
        "wcxb": float(np.mean([value for values in by_kind.values() for value in values])) if by_kind else 0.0,
        "by kind": {kind: float(np.mean(values)) for kind, values in sorted(by_kind.items())},
        "segments": segments_f1([value for values in by_language.values() for value in values]),
        "by language": {name: segments_f1(values) for name, values in sorted(by_language.items())},
        "pages by language": {name: float(len(values)) for name, values in sorted(by_language.items())},
    }
    if kinds is not None:
        told = [kind == page.kind for kind, page in zip(kinds, pages, strict=True) if page.kind]
        figures["kind told rightly"] = float(np.mean(told))
    return figures


def _languages(pages: Sequence[MarkedPage]) -> list[str]:
    """Return the language of each page's wanted segments."""
    texts = pa.array(["\n".join(page.inside) for page in pages], pa.string())
    return [str(name) for name in language.identify(texts, language.load_model()).column("language").to_pylist()]


def cross_validate(pages: Sequence[Prepared], processes: int = 1) -> tuple[list[str], list[str]]:
    """Return text and kind of each page, by models that saw no page of its site; each process takes a fold at a time."""
    texts, kinds = [""] * len(pages), [""] * len(pages)
    with get_context("fork").Pool(processes, _PREPARED.extend, (pages,)) as pool:  # forked: pages are not sent
        for found in pool.imap(_judge_fold, sorted({page.fold for page in pages}), chunksize=1):
            for number, (text, kind) in found.items():
                texts[number], kinds[number] = text, kind
    return texts, kinds


_PREPARED: Final[list[Prepared]] = []
"""Of a process that judges folds."""


def _judge_fold(fold: int) -> dict[int, tuple[str, str]]:
    """Return text and kind of each page of a fold, by a model of the pages of the others."""
    model = fit_model([page for page in _PREPARED if page.fold != fold])
    found = {}
    for number, page in enumerate(_PREPARED):
        if page.fold == fold:
            choice = choose_blocks(page.html, page.table, model)
            found[number] = write_text(page.html, page.table, choice.keep, "text").text, choice.page_kind
    return found


def _trafilatura(page: MarkedPage) -> str:
    import trafilatura

    return trafilatura.extract(decode_body(page).decode() if page.set == "wcxb" else page.body) or ""


def _resiliparse(page: MarkedPage) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(decode_body(page).decode("utf-8", "surrogatepass"), main_content=True))


_PEERS: Final[Mapping[str, Callable[[MarkedPage], str]]] = {"trafilatura": _trafilatura, "resiliparse": _resiliparse}


def _measure_peers(pages: Sequence[MarkedPage]) -> dict[str, Figures]:
    """Return the figures of the peers and their speed."""
    figures = {}
    for name, extract in _PEERS.items():
        begin = time.process_time()
        texts = [extract(page) for page in pages]
        seconds = time.process_time() - begin
        figures[f"{name} {version(name)}"] = card_figures(pages, texts) | {"MB/s": _megabytes(pages) / seconds}
    return figures


def _measure_speed(pages: Sequence[MarkedPage]) -> dict[str, float]:
    """Return the MB of HTML a second of processor time of each step with the shipped model, and of all."""
    model = load_choice_model()
    bodies = [decode_body(page) for page in pages]
    seconds: defaultdict[str, float] = defaultdict(float)
    for turn in range(2):  # the first compiles
        seconds.clear()
        for body in bodies if turn else bodies[:3]:
            steps = [time.process_time()]
            html = np.frombuffer(normal_html(body), np.uint8)
            steps.append(time.process_time())
            table = node_table(html)
            steps.append(time.process_time())
            choice = choose_blocks(html, table, model)
            steps.append(time.process_time())
            write_text(html, table, choice.keep, "text")
            steps.append(time.process_time())
            for name, first, last in zip(("parse", "table", "choose", "write"), steps[:-1], steps[1:], strict=True):
                seconds[name] += last - first
    total = _megabytes(pages)
    return {name: total / value for name, value in seconds.items()} | {"all": total / sum(seconds.values())}


def _megabytes(pages: Sequence[MarkedPage]) -> float:
    return sum(len(page.body) for page in pages) / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.html_card", description=__doc__)
    parser.add_argument("pages", type=Path, help="folder of pages_wcxb.jsonl.zst and pages_segments.jsonl.zst")
    parser.add_argument("--processes", type=int, default=1, help="that share the folds; each takes some 3 GB")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args(arguments)
    wcxb, segments = read_wcxb(options.pages), read_segments(options.pages)
    pages = [*wcxb, *segments]
    report: dict[str, object] = {}
    if options.speed:
        report["MB/s"] = {"wcxb": _measure_speed(wcxb), "segments": _measure_speed(segments)}
    if options.peers:
        report |= _measure_peers(pages)
    if not options.speed and not options.peers:
        report["headwater"] = card_figures(pages, *cross_validate(prepare_pages(pages, FOLDS), options.processes))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
