r"""What becomes of nine forms of mathematics, code and tables on one page, as the table of docs/concepts/web-text.md.

    python -m bench.html_forms

The page is written here: an article in which each form stands once, each formula with a word of its own (`\mathrm{speed}`), so
that what an extractor writes can be counted. `once`: the source (of a formula its LaTeX, of code every byte, of a table every
row on a line with its cells in order) stands in the text once, and its word too; `doubled`: the word stands there again;
`changed`: the word is there, the source is not; `lost`: neither is.

Ours are all blocks of the page. The others run as their documentation recommends for text: resiliparse
`extract_plain_text(html, main_content=True, preserve_formatting=True)`, trafilatura `extract(html)`, and the same with
`output_format="markdown"`.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headwater.filters.html.nodes import node_table
from headwater.filters.html.parse import normal_html
from headwater.filters.html.write import Form, write_text

__all__ = ["FORMS", "PAGE", "FormOnPage", "ours", "verdict"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FormOnPage:
    """One form: its name, its markup, what must stand in the text once (any of `sources`, each of `words`)."""

    name: str
    markup: str
    sources: tuple[str, ...]
    words: tuple[str, ...]


def _mathml(word: str, latex: str) -> str:
    return (
        f"<math><semantics><mrow><mfrac><mi>{word}</mi><mn>2</mn></mfrac></mrow>"
        f'<annotation encoding="application/x-tex">{latex}</annotation></semantics></math>'
    )


_FORCE = _mathml("force", r"\frac{\mathrm{force}}{2}")
_CODE = "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n\n    return total / len(values)"
_ROWS = (("river", "length", "basin"), ("Elbe", "1094", "148268"), ("Oder", "840", "118861"))

FORMS = (
    FormOnPage(
        name="MathML with an annotation",
        markup=_mathml("speed", r"\frac{\mathrm{speed}}{2}"),
        sources=(r"\frac{\mathrm{speed}}{2}",),
        words=("speed",),
    ),
    FormOnPage(
        name="KaTeX",
        markup=(
            f'<span class="katex"><span class="katex-mathml">{_FORCE}</span>'
            '<span class="katex-html" aria-hidden="true"><span class="base"><span class="mord mathnormal">force</span>'
            '<span class="mord">2</span></span></span></span>'
        ),
        sources=(r"\frac{\mathrm{force}}{2}",),
        words=("force",),
    ),
    FormOnPage(
        name="MathJax script",
        markup=(
            '<span class="MathJax_Preview">power/2</span><script type="math/tex">\\frac{\\mathrm{power}}{2}</script>'
        ),
        sources=(r"\frac{\mathrm{power}}{2}",),
        words=("power",),
    ),
    FormOnPage(
        name=r"`\(…\)` in the text",
        markup=r"\(\mathrm{depth}_{i} * 2_{j}\)",
        sources=(r"\(\mathrm{depth}_{i} * 2_{j}\)", r"$\mathrm{depth}_{i} * 2_{j}$"),
        words=("depth",),
    ),
    FormOnPage(
        name="`$$…$$` in the text",
        markup=r"$$\mathrm{width}_{i} \cdot b_{j}^{*}$$",
        sources=(r"$$\mathrm{width}_{i} \cdot b_{j}^{*}$$",),
        words=("width",),
    ),
    FormOnPage(
        name="picture, LaTeX in `alt`",
        markup=r'<img class="mwe-math-fallback-image-inline" src="f.svg" alt="\frac{\mathrm{height}}{2}">',
        sources=(r"\frac{\mathrm{height}}{2}",),
        words=("height",),
    ),
    FormOnPage(
        name="sub- and superscript",
        markup="about H<sub>2</sub>O, where E = mc<sup>2</sup>",
        sources=tuple(
            f"about {water}, where E = {energy}"
            for water, energy in (
                ("H_2O", "mc^2"),
                ("H_{2}O", "mc^{2}"),
                ("H₂O", "mc²"),
                ("H<sub>2</sub>O", "mc<sup>2</sup>"),
            )
        ),
        words=("where E",),
    ),
    FormOnPage(
        name="code, indented",
        markup="</p><pre><code>"
        + _CODE.replace("def", '<span class="k">def</span>').replace("for", '<span class="k">for</span>')
        + "</code></pre><p>",
        sources=(_CODE,),
        words=("mean(",),
    ),
    FormOnPage(
        name="table",
        markup="</p><table>"
        + "".join(
            "<tr>" + "".join(f"<{'td' if place else 'th'}>{cell}" for cell in row) for place, row in enumerate(_ROWS)
        )
        + "</table><p>",
        sources=(),
        words=tuple(cell for row in _ROWS for cell in row),
    ),
)

_FILLER = (
    "The gauge stands at the bend below the old mill, and people have read it every morning for longer than anyone remembers. "
    "Each spring the melting snow lifts the water over the lower meadows, and each autumn the level falls back to the gravel. "
)

PAGE = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>Reading the gauge</title></head><body>"
    "<nav><a href=/>Home</a> <a href=/about>About</a></nav><main><article><h1>Reading the gauge</h1>"
    + "".join(f"<p>{_FILLER}The next one is {form.markup} as they say.</p>" for form in FORMS)
    + f"<p>{_FILLER}</p></article></main><footer>Imprint</footer></body></html>"
)


def verdict(form: FormOnPage, text: str) -> str:
    """Return once, doubled, changed or lost."""
    counts = [text.count(word) for word in form.words]
    if not any(counts):
        return "lost"
    if max(counts) > 1:
        return "doubled"
    if form.sources:
        return "once" if any(text.count(source) == 1 for source in form.sources) else "changed"
    lines = [line.replace("|", " ").split() for line in text.splitlines()]
    if all(list(row) in lines for row in _ROWS):
        return "once"
    return "changed" if min(counts) else "lost"


def ours(form: Form) -> str:
    """Return the page as Headwater writes it, all its blocks."""
    html = np.frombuffer(normal_html(PAGE.encode()), np.uint8)
    table = node_table(html)
    return write_text(html, table, np.ones(table.n_blocks, np.bool_), form).text


def _resiliparse() -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(PAGE, main_content=True, preserve_formatting=True))


def _trafilatura(form: str) -> str:
    import trafilatura

    return str(trafilatura.extract(PAGE, output_format=form) or "")


def main() -> None:
    """Print the table."""
    versions = {name: importlib.metadata.version(name) for name in ("resiliparse", "trafilatura")}
    columns: list[tuple[str, Callable[[], str]]] = [
        ("Headwater, text", lambda: ours("text")),
        ("Headwater, Markdown", lambda: ours("markdown")),
        (f"resiliparse {versions['resiliparse']}", _resiliparse),
        (f"trafilatura {versions['trafilatura']}, text", lambda: _trafilatura("txt")),
        (f"trafilatura {versions['trafilatura']}, Markdown", lambda: _trafilatura("markdown")),
    ]
    texts = [write() for _, write in columns]
    sys.stdout.write(f"| form | {' | '.join(name for name, _ in columns)} |\n|---|{'---|' * len(columns)}\n")
    for form in FORMS:
        sys.stdout.write(f"| {form.name} | {' | '.join(verdict(form, text) for text in texts)} |\n")


if __name__ == "__main__":
    main()
