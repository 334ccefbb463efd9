r"""LaTeX of a page's formulas: a source made clean (`clean_latex`), MathML that has none converted (`mathml_to_latex`).

The converter knows the elements of presentation MathML ("MathML Core" and `<mfenced>`); operators and letters become
commands where LaTeX has one, else stand as they are. It loses spacing, colour, phantoms and the stretch of fences. MathML
nested deeper than 60 elements, or of more than 20,000 nodes, gives its bare text.

>>> clean_latex(r"{\displaystyle E=mc^{2}}"), clean_latex(r"$x$"), clean_latex("\\[ a\n + b \\]")
('E=mc^{2}', 'x', 'a + b')
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from headwater.filters.html.attributes import decode_text, find_attribute, name_bytes
from headwater.filters.html.symbols import ACCENTS, FUNCTIONS, SYMBOLS, UNDERS
from headwater.filters.html.tags import TAGS, TEXT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from headwater.filters.html.nodes import NodeTable

__all__ = ["clean_latex", "mathml_to_latex"]

_DELIMITERS: Final = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_STYLES: Final = ("\\displaystyle", "\\textstyle", "\\scriptstyle")
_MOST_DEPTH: Final = 60
_MOST_NODES: Final = 20_000
_TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\?.|\\[a-z]+\{[^{}]*\}", re.DOTALL)
_COMMAND_END: Final = re.compile(r"\\[A-Za-z]+\Z")
_BIG: Final = re.compile(r"\\(sum|prod|coprod|big[a-z]+|lim|max|min|sup|inf|argmax|argmin|limsup|liminf|det|gcd|Pr)\Z")
_VARIANTS: Final = {
    "bold": "mathbf",
    "double-struck": "mathbb",
    "script": "mathcal",
    "fraktur": "mathfrak",
    "sans-serif": "mathsf",
    "monospace": "mathtt",
    "normal": "mathrm",
}
_ESCAPES: Final = {
    "{": "\\{",
    "}": "\\}",
    "#": "\\#",
    "%": "\\%",
    "$": "\\$",
    "&": "\\&",
    "_": "\\_",
    "\\": "\\backslash",
}
_TRANSPARENT: Final = frozenset(
    ("math", "mrow", "mstyle", "mpadded", "merror", "menclose", "mtd", "mtr", "#other", "#custom", "a", "span")
)


def _closes_itself(text: str) -> bool:
    """Tell whether the brace that begins `text` is closed by the one that ends it."""
    depth = 0
    for place, letter in enumerate(text):
        if letter in "{}" and (place == 0 or text[place - 1] != "\\"):
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return place == len(text) - 1
    return False


def clean_latex(source: str) -> str:
    r"""Return LaTeX without delimiters, without a style that wraps all of it, its white space folded.

    Lines stay lines where a comment (`%`) would otherwise swallow what follows it.
    """
    text = source.strip()
    if text.startswith("% <![CDATA["):  # kramdown wraps what it gives to MathJax
        text = text.removeprefix("% <![CDATA[").removesuffix("%]]>").strip()
    for begin, end in _DELIMITERS:
        if len(text) >= len(begin) + len(end) and text.startswith(begin) and text.endswith(end):
            text = text[len(begin) : len(text) - len(end)].strip()
            break
    for style in _STYLES:
        if text.startswith("{" + style) and _closes_itself(text):
            text = text[len(style) + 1 : -1].strip()
        elif text.startswith(style) and not text[len(style) : len(style) + 1].isalpha():
            text = text[len(style) :].strip()
    if "%" in text and re.search(r"(?<!\\)%", text):
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return " ".join(text.split())


def _join(parts: list[str]) -> str:
    """Return the parts in a row, a space where a command would run into a letter."""
    joined: list[str] = []
    for part in parts:
        if joined and part[:1].isalpha() and _COMMAND_END.search(joined[-1]):
            joined.append(" ")
        if part:
            joined.append(part)
    return "".join(joined)


def _group(text: str) -> str:
    return text if len(text) == 1 else "{" + text + "}"


def _base(text: str) -> str:
    return text if text and _TOKEN.fullmatch(text) else "{" + text + "}"


class _Converter:
    """One formula's conversion: the page, its nodes, and how many nodes may still be visited."""

    def __init__(self, html: npt.NDArray[np.uint8], table: NodeTable) -> None:
        self.html, self.table = html, table

    def name(self, node: int) -> str:
        return TAGS[self.table.tag[node]]

    def children(self, node: int) -> list[int]:
        """The elements directly within."""
        children, at, end = [], node + 1, int(self.table.end[node])
        while at < end:
            if self.table.tag[at] != TEXT:
                children.append(at)
            at = int(self.table.end[at])
        return children

    def text(self, node: int) -> str:
        """All text within, white space folded."""
        table = self.table
        pieces = [
            decode_text(self.html, int(table.begin[at]), int(table.finish[at]))
            for at in range(node, int(table.end[node]))
            if table.tag[at] == TEXT
        ]
        return " ".join("".join(pieces).split())

    def attribute(self, node: int, name: str) -> str | None:
        begin, finish = find_attribute(
            self.html, int(self.table.begin[node]), int(self.table.finish[node]), name_bytes(name)
        )
        return None if begin < 0 else decode_text(self.html, begin, finish)

    def letters(self, text: str) -> str:
        return _join([SYMBOLS.get(letter, _ESCAPES.get(letter, letter)) for letter in text])

    def row(self, nodes: list[int], depth: int) -> str:
        return _join([self.convert(node, depth) for node in nodes])

    def leaf(self, name: str, node: int) -> str:
        """Return a token element: mi, mn, mo, mtext, ms."""
        text = self.text(node)
        if name in ("mtext", "ms"):
            return "\\text{" + text.replace("{", "\\{").replace("}", "\\}") + "}" if text else "\\ "
        if text in FUNCTIONS:
            return "\\" + text
        if name == "mi" and len(text) > 1 and text.isalpha() and text.isascii():
            return "\\mathrm{" + text + "}"
        variant = _VARIANTS.get(self.attribute(node, "mathvariant") or "")
        letters = self.letters(text)
        return f"\\{variant}{{{letters}}}" if name == "mi" and variant else letters

    def fenced(self, node: int, depth: int) -> str:
        begin, end, marks = (self.attribute(node, name) for name in ("open", "close", "separators"))
        marks = "," if marks is None else "".join(marks.split())
        parts = [self.letters("(" if begin is None else begin)]
        for place, child in enumerate(self.children(node)):
            if place and marks:
                parts.append(self.letters(marks[min(place, len(marks)) - 1]))
            parts.append(self.convert(child, depth))
        return _join([*parts, self.letters(")" if end is None else end)])

    def rows(self, node: int, depth: int) -> str:
        lines = []
        for row in self.children(node):
            cells = [self.convert(cell, depth) for cell in self.children(row)]
            lines.append(" & ".join(cells[1:] if self.name(row) == "mlabeledtr" else cells))
        return "\\begin{matrix} " + " \\\\ ".join(lines) + " \\end{matrix}"

    def scripts(self, base: str, under: str, over: str) -> str:
        marks = ("_" + _group(under) if under else "") + ("^" + _group(over) if over else "")
        return _base(base) + marks

    def multiscripts(self, nodes: list[int], depth: int) -> str:
        base = self.convert(nodes[0], depth)
        before, after, target = "", "", 1
        pair: list[str] = []
        for node in nodes[1:]:
            if self.name(node) == "mprescripts":
                target, pair = 0, []
                continue
            pair.append("" if self.name(node) == "none" else self.convert(node, depth))
            if len(pair) == 2:
                marks = "".join(mark + _group(text) for mark, text in zip("_^", pair, strict=True) if text)
                before, after = (before, after + marks) if target else (before + marks, after)
                pair = []
        return ("{}" + before if before else "") + _base(base) + after

    def over_and_under(self, name: str, nodes: list[int], depth: int) -> str:
        """Return munder, mover or munderover: scripts of a large operator, an accent, or something set above or below."""
        base, *others = (self.convert(node, depth) for node in nodes)
        under = others[0] if name != "mover" else ""
        over = others[-1] if name != "munder" else ""
        if _BIG.search(base):
            return self.scripts(base, under, over)
        if over:
            mark = ACCENTS.get(self.text(nodes[-1]))
            base = f"\\{mark}{{{base}}}" if mark else f"\\overset{{{over}}}{{{base}}}"
        if under:
            mark = UNDERS.get(self.text(nodes[1]))
            base = f"\\{mark}{{{base}}}" if mark else f"\\underset{{{under}}}{{{base}}}"
        return base

    def convert(self, node: int, depth: int) -> str:
        """Return the LaTeX of one element."""
        name = self.name(node)
        if depth > _MOST_DEPTH:
            return self.text(node)
        if name in ("mi", "mn", "mo", "mtext", "ms"):
            return self.leaf(name, node)
        nodes, depth = self.children(node), depth + 1
        if name in _TRANSPARENT:
            return self.row(nodes, depth) if nodes else self.letters(self.text(node))
        if name == "semantics":
            return self.convert(nodes[0], depth) if nodes else ""
        if name == "msqrt":
            return "\\sqrt{" + self.row(nodes, depth) + "}"
        if name == "mfenced":
            return self.fenced(node, depth)
        if name == "mtable":
            return self.rows(node, depth)
        if name == "mspace":
            return "\\ "
        if name == "mmultiscripts" and nodes:
            return self.multiscripts(nodes, depth)
        wanted = {"mfrac": 2, "mroot": 2, "msup": 2, "msub": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
        if name not in wanted:  # mphantom, annotations, what is no MathML
            return ""
        if len(nodes) != wanted[name]:
            return self.row(nodes, depth)
        if name in ("munder", "mover", "munderover"):
            return self.over_and_under(name, nodes, depth)
        first, second, *third = (self.convert(child, depth) for child in nodes)
        if name == "mfrac":
            return f"\\frac{{{first}}}{{{second}}}"
        if name == "mroot":
            return f"\\sqrt[{second}]{{{first}}}"
        if name == "msub":
            return self.scripts(first, second, "")
        return self.scripts(first, "", second) if name == "msup" else self.scripts(first, second, third[0])


def mathml_to_latex(html: npt.NDArray[np.uint8], table: NodeTable, node: int) -> str:
    """Return a `<math>` element as LaTeX, "" if it holds nothing.

    Args:
        html: the page's normal HTML, (bytes,).
        table: its nodes.
        node: the element.
    """
    converter = _Converter(html, table)
    if int(table.end[node]) - node > _MOST_NODES:
        return converter.text(node)
    return clean_latex(converter.convert(node, 0))
