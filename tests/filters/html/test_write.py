"""Pages written as text and Markdown: what stands where, once each."""

from __future__ import annotations

import numpy as np
import pytest
from html_reference import read, write
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.filters.html.write import write_text

TABLE = (
    "<p>before<table><caption>Cap</caption><thead><tr><th>a<th colspan=2>b|c</thead>"
    "<tr><td rowspan=2>1<td>2<td>3<br>4<tr><td><p>5</p><p>6</p><td>7<tr><td><td>8<td></table>after"
)


def check(page: str, text: str, markdown: str) -> None:
    """Compare both forms."""
    assert write(page).text == text
    assert write(page, "markdown").text == markdown


def test_links_that_mark_their_place_are_no_text() -> None:
    """The pilcrow behind a heading goes, a pilcrow in the text stays."""
    check("<h2>A<a href='#a'>¶</a></h2><p>¶ b", "A\n\n¶ b", "## A\n\n¶ b")


def test_paragraphs_headings_and_breaks() -> None:
    """Paragraphs and headings stand a blank line apart, other lines a line feed; a heading is one line."""
    check(
        "<h1>A<br> b</h1><p>One\n two <i>three</i>.<p>four<br>five<div>six</div><div>seven</div>",
        "A b\n\nOne two three.\n\nfour\nfive\n\nsix\nseven",
        "# A b\n\nOne two three.\n\nfour\nfive\n\nsix\nseven",
    )


def test_white_space_is_folded() -> None:
    """Runs of white space, no-break spaces among it, are one space, none at a line's ends; soft hyphens go."""
    check("<p> a \t\n b&nbsp;&nbsp;c<b> d </b> e&shy;f <br> g", "a b c d ef\ng", "a b c d ef\ng")


def test_lists() -> None:
    """Items are lines; nested ones are indented; in Markdown they have a marker or the number that the page shows."""
    check(
        "<ul><li>a<ul><li>b</li><li><p>c<p>d</li></ul><li>e</ul><ol start=3><li>x<li>y</ol><dl><dt>T<dd>D</dl>",
        "a\n  b\n\n  c\n\n  d\n\ne\n\nx\ny\n\nT\nD",
        "- a\n  - b\n\n  - c\n\n    d\n\n- e\n\n3. x\n4. y\n\nT\n: D",
    )


def test_tables_row_by_row() -> None:
    """Every cell once, in order; spanned places stay empty; a caption is a line; `|` is escaped in Markdown's cells."""
    check(
        TABLE,
        "before\n\nCap\n\na\tb|c\n1\t2\t3 4\n\t5 6\t7\n\t8\n\nafter",
        "before\n\nCap\n\n| a | b\\|c |  |\n| --- | --- | --- |\n| 1 | 2 | 3 4 |\n|  | 5 6 | 7 |\n|  | 8 |  |\n\nafter",
    )
    written = write(TABLE)
    assert (written.tables, written.table_rows) == (1, 4)


def test_rows_are_written_whole() -> None:
    """A row of data of which one block is kept is written with all its cells, no other row is."""
    html, table = read("<table><tr><th>a<th>b<tr><td>1<td>2<tr><td>3<td>4</table>")
    assert write_text(html, table, np.array([0, 0, 0, 1, 0, 0], np.bool_), "text").text == "1\t2"


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr><td><p>a<p>b<p>c<p>d<p>e<td><p>f<p>f<p>f<p>f<tr><td>g<td>h</table>",
        "<table role=presentation><tr><th>a<th>b<tr><td>c<td>d</table>",
        "<table><tr><td>a<td>b</table>",
        "<table><tr><td>a<tr><td>b</table>",
    ],
)
def test_tables_that_set_a_page_are_paragraphs(page: str) -> None:
    """Tables of paragraphs, of one row or column, and those that say so, have no rows."""
    written = write(page)
    assert written.tables == 0
    assert "\t" not in written.text


def test_a_table_in_a_layout_table_is_data() -> None:
    """Only the table within has rows."""
    assert write("<table><tr><th>menu<td><table><tr><th>a<td>b</table></table>").text == "menu\n\na\tb"


@pytest.mark.parametrize("number", ["1000000000", "9007199254740991", "-1", "0", "x"])
def test_spans_without_end_are_harmless(number: str) -> None:
    """A cell reaches no further than the longest row."""
    page = f"<table><tr><th colspan={number} rowspan={number}>a<td>b<tr><td>c<td>d</table>"
    assert len(write(page, "markdown").text) < 100


def test_code_is_written_byte_for_byte() -> None:
    """Indentation, blank lines, tabs and no-break spaces stand; marks of syntax go; Markdown's fence has the language."""
    code = "  def f():\n\n\treturn  1 &lt; 2  # &amp;&nbsp;x"
    page = f"<p>a<pre class='x language-python'>\n{code}\n</pre>b"
    plain = code.replace("&lt;", "<").replace("&amp;", "&").replace("&nbsp;", "\u00a0")
    check(page, f"a\n\n{plain}\n\nb", f"a\n\n```python\n{plain}\n```\n\nb")
    marked = "<pre><code class='lang-c'><span class=k>if</span> <span>(x)</span>\n\n  <b>y</b>;</code></pre>"
    check(marked, "if (x)\n\n  y;", "```c\nif (x)\n\n  y;\n```")


def test_code_that_holds_a_fence() -> None:
    """The fence is longer than any run of backticks within; inline code likewise."""
    check("<pre>a\n```\nb</pre>", "a\n```\nb", "````\na\n```\nb\n````")
    check("<p>x <code>a_*b*</code> <code>`</code>", "x a_*b* `", "x `a_*b*` `` ` ``")


@pytest.mark.parametrize(
    "page",
    [
        "<table class=rouge><tr><td class='gutter gl'><pre class=lineno>1\n2</pre><td class=code><pre>a\n b</pre></table>",
        "<table><tr><td class=linenos><div><pre>1\n2</pre></div><td><div><pre>a\n b</pre></div></table>",
        "<pre><span class=lnt>1</span>a\n<span class=lnt>2</span> b</pre>",
        "<pre class=line-numbers><code>a\n b</code></pre>",
        "<pre><table class=hljs-ln><tr><td class=hljs-ln-numbers>1<td>a<tr><td class=hljs-ln-numbers>2<td> b</table></pre>",
        "<table class=highlight>\n<tr>\n<td class=blob-num>1</td><td class=blob-code>a</td></tr><tr><td class=blob-num>2</td>"
        "<td class=blob-code> b</td></tr></table>",
        "<pre><div class=line>a</div><div class=line> b</div></pre>",
        "<pre>a<br> b</pre>",
    ],
)
def test_columns_of_line_numbers_are_no_code(page: str) -> None:
    """Gutters are left out, whoever drew them; elements that are lines are lines."""
    written = write(page)
    assert written.text == "a\n b"
    assert written.code_blocks == 1


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("mc<sup>2</sup>", "mc^2"),
        ("H<sub>2</sub>O", "H_2O"),
        ("10<sup>-3</sup>", "10^-3"),
        ("x<sup>n+1</sup>y", "x^(n+1)y"),
        ("a<sub>i,j</sub>", "a_(i,j)"),
        ("x<sup>α</sup>", "x^α"),
        ("1<sup>st</sup>", "1st"),
        ("XIX<sup>e</sup>", "XIXe"),
        ("Acme<sup>TM</sup>", "AcmeTM"),
        ("Acme<sup>®</sup>", "Acme®"),
        ("end.<sup>[3]</sup>", "end.[3]"),
        ("word<sup><a href='#n3'>3</a></sup>", "word[3]"),
        ("word<sup>3</sup>", "word[3]"),
        ("km<sup>2</sup>", "km^2"),
        ("a <sup>2</sup>", "a 2"),
    ],
)
def test_sub_and_superscripts(markup: str, expected: str) -> None:
    """Exponents and indices are marked, ordinals and trade marks are not, footnotes stand in brackets."""
    assert write(f"<p>{markup}").text == expected


def test_quotations_ruby_and_links() -> None:
    """Block quotes are marked in Markdown, ruby is in parentheses, links do not run together."""
    check("<blockquote><p>a<p>b</blockquote>c", "a\n\nb\n\nc", "> a\n>\n> b\n\nc")
    check("<p>漢<ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby>", "漢字(じ)", "漢字(じ)")
    check("<p><a>x</a><a>y</a> <q>z</q>", 'x y "z"', 'x y "z"')


def test_posts_are_counted_and_set_apart() -> None:
    """Posts have a blank line between, their author's line stands where the page has it."""
    written = write(
        "<div class=posts><div class='post x'><b>ann</b><div>hello</div></div><div class=post>bob<div>hi</div></div></div>"
    )
    assert written.text == "ann\nhello\n\nbob\nhi"
    assert written.posts == 2


def test_what_is_not_kept_is_not_written() -> None:
    """Only kept blocks are written; what stands between paragraphs that are kept leaves no trace."""
    html, table = read("<p>a<div>no<ul><li>no</ul></div><p>b<table><tr><th>no<td>no</table>c")
    keep = np.zeros(table.n_blocks, np.bool_)
    keep[[0, 3, 6]] = True
    assert write_text(html, table, keep, "markdown").text == "a\n\nb\n\nc"
    assert write_text(html, table, np.zeros(table.n_blocks, np.bool_), "text").text == ""


_TEXTS = st.text("ab <>&\u00a0é|*_`\n", min_size=1, max_size=6)
_TAGS = st.sampled_from(
    "p div b i a span ul li ol table tr td th pre h2 blockquote br dl dd section details code custom-x".split()
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_TAGS, st.booleans(), _TEXTS), max_size=25))
def test_every_character_is_written_once(pieces: list[tuple[str, bool, str]]) -> None:
    """Text without its white space is that of the blocks, in order, however elements are nested."""
    escaped = (text.replace("&", "&amp;").replace("<", "&lt;") for _, _, text in pieces)
    page = "".join(f"<{'/' * closes}{tag}>{text}" for (tag, closes, _), text in zip(pieces, escaped, strict=True))
    html, table = read(page)
    raw = b"".join(
        html[table.begin[node] : table.finish[node]].tobytes()
        for node in range(table.n_nodes)
        if table.kind[node] == 1 and table.block[node] >= 0
    ).decode()
    for reference, character in (("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        raw = raw.replace(reference, character)
    assert "".join(write(page).text.split()) == "".join(raw.split())
