"""HTML a second, from bytes as served to main text: ours and three libraries, on the same pages in turns: ``python -m bench.html_speed``.

Each library runs as its own documentation recommends for the main text of a page, in this process, with its version in the figures. Ours does
more: it reads marks and measures mojibake. Without the pages of the corpus the figures are absent.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import importlib.metadata
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.alternate import Side, absent, alternate, figures, significant, timed
from bench.documents import CORPUS
from bench.figures import Figures
from bench.records import read_records

__all__ = ["main", "measure"]

_STEP: Final = 7
"""Of the larger set every seventh page."""


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.html_speed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--megabytes", type=float, default=20, help="of HTML, half of each set")
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps(measure(given.corpus, int(given.megabytes * 1e6), given.repetitions), indent=2))


def measure(corpus: Path, n_bytes: int, repetitions: int) -> Figures:
    """Return MB of HTML a second of each side, and as ``ratio`` the quotient of trafilatura's processor time and ours."""
    pages = _pages(corpus.parent / "web", n_bytes)
    if not pages:
        return absent("there are no pages beside the corpus")
    sides: dict[str, Callable[[bytes], object]] = {"headwater": _ours}
    missing = {}
    for name, module, read in _PEERS:
        try:
            importlib.import_module(module)
            sides[name] = read
        except ImportError as error:
            missing[name] = absent(f"not installed: {error.name}")
    prepared = [
        Side(what=_WHAT[name], run=timed(_all(read, pages)), details={"version": _version(name)})
        for name, read in sides.items()
    ]
    for read in sides.values():
        _all(read, pages[:10])()
    size = sum(map(len, pages))
    times = dict(zip(sides, alternate(prepared, repetitions), strict=True))
    found: Figures = {"pages": len(pages), "megabytes": significant(size / 1e6)}
    for side, (name, taken) in zip(prepared, times.items(), strict=True):
        found[name] = figures(side, taken, size)
        quotients = sorted(theirs.cpu / ours.cpu for ours, theirs in zip(times["headwater"], taken, strict=True))
        found[name] |= {"ratio": significant(quotients[len(quotients) // 2])}
    return found | missing | {"ratio": found.get("trafilatura", {}).get("ratio"), "reason": None}


_WHAT: Final = {
    "headwater": "read_page: charset, parsing, marks, choosing, writing, mojibake",
    "trafilatura": "extract(body)",
    "resiliparse": "extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True)",
    "turbohtml": "parse(body, detect_encoding=True).main_content().to_text()",
}


def _pages(folder: Path, n_bytes: int) -> list[bytes]:
    pages: list[bytes] = []
    size = 0
    for number, page in enumerate(read_records(folder / "pages_segments.jsonl.zst", missing_ok=True)):
        body = base64.b64decode(page["html_base64"])
        if number % 3 == 0 and size + len(body) <= n_bytes // 2:
            pages.append(body)
            size += len(body)
    for number, page in enumerate(read_records(folder / "pages_wcxb.jsonl.zst", missing_ok=True)):
        body = page["html"].encode("utf-8", "replace") if number % _STEP == 0 else b""
        if body and size + len(body) <= n_bytes:
            pages.append(body)
            size += len(body)
    return pages


def _all(read: Callable[[bytes], object], pages: Sequence[bytes]) -> Callable[[], None]:
    def run() -> None:
        for page in pages:
            read(page)

    return run


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _ours(body: bytes) -> object:
    from headwater.filters.html.page import ExtractorSettings, PageInput, read_page

    return read_page(PageInput(body=body), [ExtractorSettings(name="main")])


def _trafilatura(body: bytes) -> object:
    from trafilatura import extract

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    return extract(body)


def _resiliparse(body: bytes) -> object:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return extract_plain_text(bytes_to_str(body, detect_encoding(body) or "utf-8"), main_content=True)


def _turbohtml(body: bytes) -> object:
    import turbohtml

    found = turbohtml.parse(body, detect_encoding=True).main_content()
    return found.to_text() if found is not None else ""


_PEERS: Final[tuple[tuple[str, str, Callable[[bytes], object]], ...]] = (
    ("trafilatura", "trafilatura", _trafilatura),
    ("resiliparse", "resiliparse.extract.html2text", _resiliparse),
    ("turbohtml", "turbohtml", _turbohtml),
)

if __name__ == "__main__":
    main()
