"""Print what pages made to hurt parsers cost through ``PageReader``, each kind in sizes that double: ``python -m bench.hostile_pages``.

Time is the child's processor time, memory its peak beyond what it had at the start; both must grow with the size and not faster, or the page
be refused. With ``--largest 100`` kinds go to 100 MB, past what a page may have by default; limits of memory and time stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from headwater.filters.html.page import ExtractorSettings, PageInput
from headwater.pipelines.ingest.web.workers import PageReader

__all__ = ["KINDS", "main"]


def _repeated(unit: bytes, before: bytes = b"", after: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: before + unit * max(1, size // len(unit)) + after


def _attributes(size: int) -> bytes:
    return b"<p " + b" ".join(b"a%d=x" % number for number in range(size // 9)) + b">text</p>"


def _numbered(size: int) -> bytes:
    return b"".join(b"<html a%d>" % number for number in range(size // 12)) + b"text"


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "nested div": _repeated(b"<div>"),
    "nested div, closed": lambda size: b"<div>" * (size // 11) + b"text" + b"</div>" * (size // 11),
    "nested b, formatting": _repeated(b"<b>x"),
    "nested a": _repeated(b"<a href=x>y"),
    "misnested formatting": _repeated(b"<b><i><u><p>x</b></i></u>"),
    "nested tables": _repeated(b"<table><tr><td>"),
    "tables without rows": _repeated(b"<table>x"),
    "nested svg template": _repeated(b"<svg><template>"),
    "nested template": _repeated(b"<template>"),
    "nested lists": _repeated(b"<ul><li>x"),
    "nested blockquote": _repeated(b"<blockquote>"),
    "nested select": _repeated(b"<select><option>x"),
    "nested math": _repeated(b"<math><mi>x"),
    "attributes of one tag": _attributes,
    "attributes of html": _numbered,
    "one long attribute": lambda size: b'<p title="' + b"x" * size + b'">text</p>',
    "unclosed comment": lambda size: b"<p>text</p><!--" + b"x" * size,
    "comments": _repeated(b"<!--x-->"),
    "comment openings": _repeated(b"<!--"),
    "null bytes": _repeated(b"\0"),
    "null bytes in tags": _repeated(b"<\0p\0>"),
    "colspan": _repeated(b"<td colspan=1000000000 rowspan=1000000000>x", b"<table><tr>"),
    "entities": _repeated(b"&NotSquareSubsetEqual;&#x1F600;&amp"),
    "entities without end": _repeated(b"&#"),
    "one script": lambda size: b"<p>text</p><script>" + b"var x='</';" * (size // 11) + b"</script>",
    "scripts": _repeated(b"<script>a<b</script>"),
    "unclosed script": _repeated(b"<script>"),
    "unclosed textarea": _repeated(b"<textarea>"),
    "open brackets": _repeated(b"<"),
    "processing instructions": _repeated(b"<?"),
    "cdata": _repeated(b"<![CDATA["),
    "formulas": _repeated(b"$x$ \\(y\\) "),
    "one formula": lambda size: b"<p>\\(" + b"x" * size,
    "spans": _repeated(b"<span class='c d'>x</span> "),
    "links": _repeated(b"<a href='https://a.example/b?c=d' rel=license>e</a> "),
    "plain text": _repeated(b"words and words "),
    "one word": _repeated(b"x"),
    "line breaks": _repeated(b"<br>"),
    "pre": lambda size: b"<pre>" + b"x\n" * (size // 2),
    "metas": _repeated(b"<meta charset=x>"),
    "meta names": _repeated(b"<meta name=robots content=none>"),
    "linked data": lambda size: b"<script type='application/ld+json'>" + b"[" * size + b"</script>",
    "bytes beyond ASCII": _repeated(b"\xe4\xb8"),
    "mojibake": _repeated("Ã©â€™".encode()),
    "utf-16": lambda size: b"\xff\xfe" + "<p>é".encode("utf-16-le") * (size // 8),
}
"""A page of about so many bytes, by kind."""
_EXTRACTORS: Final = (ExtractorSettings(name="main"), ExtractorSettings(name="marked", form="markdown"))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.hostile_pages", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--smallest", type=float, default=1, help="megabytes of the smallest page")
    parser.add_argument("--largest", type=float, default=8, help="megabytes of the largest")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this one")
    given = parser.parse_args()
    sizes = []
    size = given.smallest
    while size <= given.largest:
        sizes.append(size)
        size *= 2
    if sizes[-1] < given.largest:
        sizes.append(given.largest)
    for kind, make in KINDS.items():
        if given.kind is None or kind in given.kind:
            print(
                json.dumps({"kind": kind, "pages": [_measured(make(int(megabytes * 1e6))) for megabytes in sizes]}),
                flush=True,
            )


def _measured(body: bytes) -> dict[str, object]:
    with PageReader(max_bytes=1 << 30) as reader:
        reader.read([PageInput(body=b"<p>x")], _EXTRACTORS)
        child = reader.process
        used, peak = _cpu_s(child), _peak(child)
        begin = time.monotonic()
        (answer,) = reader.read([PageInput(body=body)], _EXTRACTORS)
        taken: dict[str, object] = {
            "megabytes": round(len(body) / 1e6, 1),
            "wall_s": round(time.monotonic() - begin, 2),
        }
        if isinstance(answer, str):
            return taken | {"refused": answer}
        return taken | {
            "cpu_s": round(_cpu_s(child) - used, 2),
            "peak_megabytes": round(_peak(child) - peak),
            "text_megabytes": round(len(answer.texts[0].text) / 1e6, 1),
        }


def _cpu_s(process: int | None) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(process: int | None) -> float:
    line = next(
        line for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
