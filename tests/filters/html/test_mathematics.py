"""Formulas: each once, whatever its markup doubles, and MathML as LaTeX."""

from __future__ import annotations

import numpy as np
import pytest
from html_reference import read, write

from headwater.filters.html.mathematics import clean_latex, mathml_to_latex
from headwater.filters.html.tags import MATH
from headwater.filters.html.write import Form, write_text

ANNOTATED = (
    "<math><semantics><mrow><mi>a</mi><mo>≤</mo><mi>b</mi></mrow>"
    "<annotation encoding='application/x-tex'>a \\le b</annotation></semantics></math>"
)
PICTURE = "<img class='mwe-math-fallback-image-inline' aria-hidden=true alt='{\\displaystyle a\\leq b}'>"

FORMS = {
    "annotation": (ANNOTATED, "$a \\le b$"),
    "alttext": ("<math alttext='a\\leq b' display=block><mi>a</mi></math>", "\n$$a\\leq b$$\n"),
    "katex": (
        f"<span class=katex><span class=katex-mathml>{ANNOTATED}</span><span class=katex-html aria-hidden=true>a≤b</span></span>",
        "$a \\le b$",
    ),
    "katex displayed": (
        f"<span class=katex-display><span class=katex><span class=katex-mathml>{ANNOTATED}</span>"
        "<span class=katex-html aria-hidden=true>a≤b</span></span></span>",
        "\n$$a \\le b$$\n",
    ),
    "mathjax script": ("<script type='math/tex'>a < b_1*c*</script>", "$a < b_1*c*$"),
    "mathjax script displayed": (
        "<span class=MathJax_Preview>a/b</span><script type='math/tex; mode=display'>\\frac ab</script>",
        "\n$$\\frac ab$$\n",
    ),
    "mathjax drawn": (
        "<span class=MathJax_Preview></span><span class=MathJax><nobr>a≤b</nobr><span class=MJX_Assistive_MathML><math>"
        "<mi>a</mi></math></span></span><script type='math/tex' id=x>a\\le b</script>",
        "$a\\le b$",
    ),
    "mathjax drawn in a block": (
        "<div class=MathJax_Display><span class=MathJax>a≤b</span></div><script type='math/tex; mode=display'>a</script>",
        "\n$$a$$\n",
    ),
    "mathjax 3": (
        "<mjx-container display=true><mjx-math>a</mjx-math><mjx-assistive-mml><math><mi>a</mi></math></mjx-assistive-mml>"
        "</mjx-container>",
        "\n$$a$$\n",
    ),
    "mathml script": ("<script type='math/mml'><math><msqrt><mi>a</mi></msqrt></math></script>", "$\\sqrt{a}$"),
    "asciimath": ("<script type='math/asciimath'>a/b</script>", "`a/b`"),
    "mediawiki": (
        f"<span class=mwe-math-element><span style='display: none'><math alttext='{{\\displaystyle a\\leq b}}'><mi>a</mi></math>"
        f"</span>{PICTURE}</span>",
        "$a\\leq b$",
    ),
    "mediawiki picture": (f"<span class=mwe-math-element>{PICTURE}</span>", "$a\\leq b$"),
    "two forms side by side": (f"<span><math alttext='a\\leq b'><mi>a</mi></math></span> {PICTURE}", "$a\\leq b$"),
    "picture": ("<img alt='\\alpha+1' src=x>", "$\\alpha+1$"),
    "picture of a class": ("<img class=latex alt='x+1' src=x>", "$x+1$"),
    "zhihu": ("<span class=ztext-math data-tex='a_1'>a1</span>", "$a_1$"),
    "bare": ("<math><mfrac><mi>a</mi><mn>2</mn></mfrac></math>", "$\\frac{a}{2}$"),
    "parentheses": ("\\(a_1 * b_2*c\\)", "\\(a_1 * b_2*c\\)"),
    "dollars": ("$$a_{1}^{*} | b$$", "$$a_{1}^{*} | b$$"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("written_as", ["text", "markdown"])
def test_a_formula_is_written_once(form: str, written_as: Form) -> None:
    """Between words, alone in a paragraph and in a cell: once, not escaped, nothing of its other forms."""
    markup, expected = FORMS[form]
    spaced = expected if expected.startswith("\n") else f" {expected} "
    assert write(f"<div>See {markup} here", written_as).text == f"See{spaced}here"
    assert write(f"<div>{markup}</div><p>x", written_as).text == f"{expected.strip()}\n\nx"
    cell = write(f"<table><tr><th>x<td>{markup}<tr><td>1<td>2</table>").text
    assert cell == f"x\t{expected.strip()}\n1\t2"


def test_formulas_are_counted_by_markup() -> None:
    """Formulas of the markup count, delimiters in the text do not."""
    assert write(f"<p>{ANNOTATED} and {PICTURE} and \\(x\\)").formulas == 2


def test_a_formula_said_twice_is_written_twice() -> None:
    """Equal formulas with words between them are two; other pictures are no formulas."""
    assert write(f"<p>{ANNOTATED} or {ANNOTATED} <img alt='a photo of x'>").text == "$a \\le b$ or $a \\le b$"


def test_equal_formulas_side_by_side_are_as_many() -> None:
    """The same markup twice is two formulas; a picture that a script loads and the one for browsers without are one."""
    assert write(f"<p>{ANNOTATED}{ANNOTATED}").text == "$a \\le b$$a \\le b$"
    assert write(f"<p>x {PICTURE}<noscript>{PICTURE}</noscript>").formulas == 1


def test_wrappers_of_many_formulas_are_no_containers() -> None:
    """An element that holds text and several formulas is read, whatever its class."""
    for name in ("mathjax", "MathJax_Display", "katex", "mathjax-process"):
        page = f"<div class={name}>Let {ANNOTATED} be, and <math><mi>c</mi></math> too.</div>"
        assert write(page).text == "Let $a \\le b$ be, and $c$ too."
    assert write("<p class=math>x <img class=math alt='a photo of a class'>").text == "x"


def test_formulas_of_what_is_left_out_are_left_out() -> None:
    """A formula belongs to its block."""
    html, table = read(f"<p>{ANNOTATED}</p><p>x")
    assert write_text(html, table, np.array([False, True]), "text").text == "x"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (" $x$ ", "x"),
        ("$$ x $$", "x"),
        ("\\[x\\]", "x"),
        ("{\\displaystyle {a} {b}}", "{a} {b}"),
        ("{\\displaystyle a}{b}", "{\\displaystyle a}{b}"),
        ("\\displaystyle x", "x"),
        ("a\n  +\n b", "a + b"),
        ("a % b\n c", "a % b\nc"),
        ("% <![CDATA[\na < b %]]>", "a < b"),
        ("$", "$"),
        ("", ""),
    ],
)
def test_sources_are_cleaned(source: str, expected: str) -> None:
    """Delimiters, a style around all and white space go; a comment keeps its line."""
    assert clean_latex(source) == expected


@pytest.mark.parametrize(
    ("mathml", "expected"),
    [
        ("<mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup>", "E=mc^2"),
        ("<mfrac><mrow><mo>−</mo><mi>b</mi><mo>±</mo><msqrt><mi>x</mi></msqrt></mrow><mn>2</mn></mfrac>", "\\frac{-b\\pm\\sqrt{x}}{2}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>a</mi><mi>i</mi></msub>",
         "\\sum_{i=1}^na_i"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot><msubsup><mi>y</mi><mn>1</mn><mn>12</mn></msubsup>", "\\sqrt[3]{x}y_1^{12}"),
        ("<mover><mi>x</mi><mo>¯</mo></mover><mover><mi>v</mi><mo>→</mo></mover>", "\\overline{x}\\vec{v}"),
        ("<munder><mi>lim</mi><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder><mi>x</mi>", "\\lim_{x\\to0}x"),
        ("<munder><mi>x</mi><mi>y</mi></munder>", "\\underset{y}{x}"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced><mfenced open='[' close='}' separators='|'><mi>a</mi><mi>b</mi></mfenced>",
         "(a,b)[a|b\\}"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>",
         "\\begin{matrix} 1 & 2 \\\\ 3 \\end{matrix}"),
        ("<mi>sin</mi><mi>α</mi><mi>x</mi><mi>rate</mi><mi mathvariant=bold>v</mi>", "\\sin\\alpha x\\mathrm{rate}\\mathbf{v}"),
        ("<mtext>if </mtext><mi>x</mi><mo>∈</mo><mi>ℝ</mi><mo>&InvisibleTimes;</mo><mphantom><mi>z</mi></mphantom>",
         "\\text{if}x\\in\\mathbb{R}"),
        ("<mmultiscripts><mi>C</mi><mn>1</mn><none></none><mprescripts></mprescripts><mn>6</mn><mn>14</mn></mmultiscripts>",
         "{}_6^{14}C_1"),
        ("<msup><mrow><mi>a</mi><mi>b</mi></mrow><mn>2</mn></msup><msup><mi>x</mi></msup>", "{ab}^2x"),
        ("<mstyle><mi>a</mi></mstyle><mo>{</mo><mn>5</mn><mo>%</mo>", "a\\{5\\%"),
    ],
)  # fmt: skip
def test_mathml_as_latex(mathml: str, expected: str) -> None:
    """The elements of presentation MathML, and letters and operators that have commands."""
    html, table = read(f"<math>{mathml}</math>")
    assert mathml_to_latex(html, table, int(np.flatnonzero(table.tag == MATH)[0])) == expected


def test_mathml_nested_without_end_is_its_text() -> None:
    """Deep MathML gives its bare text, soon."""
    html, table = read("<math>" + "<mrow>" * 5000 + "x")
    assert mathml_to_latex(html, table, int(np.flatnonzero(table.tag == MATH)[0])) == "x"
