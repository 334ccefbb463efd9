"""The table of a page's nodes against the parser's tree, and its blocks."""

from __future__ import annotations

import numpy as np
import pytest
from html_reference import nodes_of_table, nodes_of_tree, read
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.filters.html import tags
from headwater.filters.html.attributes import decode_text, find_attribute, name_bytes
from headwater.filters.html.hidden import HIDDEN_ARIA, HIDDEN_ATTRIBUTE, HIDDEN_STYLE, SHOWN
from headwater.filters.html.nodes import TEXT_NODE, node_table
from headwater.filters.html.tags import BLOCK, TAG_FACTS, TAGS, VOID

PAGES = (
    "",
    "text alone",
    "<!doctype html><!-- c --><title>T &amp; t</title><p>One<p>two &lt; three&nbsp;&amp;amp;",
    "<script><!-- if (a < b) <script> x </script> y --> z</script><p>after",
    "<script><b></script><style><i></style><noscript><p>shown</p></noscript><iframe><u></iframe>",
    "<pre>\n\n a</pre><textarea>\n\nb</textarea><listing>\nc</listing><pre>d</pre>",
    "<svg><style>a</style><title>no</title><foreignObject><p>q</svg>x",
    "<a b\"c='\"<>&nbsp;' =d e>x</a><a href='>'>y</a>",
    "<x-y><q-r>a</q-r></x-y><what>b</what><a<b>c</a<b>",
    "<table>foster<tr><td>1<td>2</table><select><option>a<option>b</select>",
    "<template><p>never</template><div><template shadowrootmode=open>shown</template></div>",
    "<?php a > b ?><![CDATA[c]]><p>a\0b</p><plaintext>rest <b> of it",
    "<math><mi>x</mi><annotation-xml encoding='text/html'><p>y</p></annotation-xml></math>",
)


def blocks(page: str) -> list[str]:
    """Return the text of each block."""
    html, table = read(page)
    texts = [""] * table.n_blocks
    for node in np.flatnonzero((table.kind == TEXT_NODE) & (table.block >= 0)):
        texts[table.block[node]] += decode_text(html, int(table.begin[node]), int(table.finish[node]))
    return [" ".join(text.split()) for text in texts]


@pytest.mark.parametrize("page", PAGES)
def test_nodes_are_those_of_the_tree(page: str) -> None:
    """Elements, texts and depths are the parser's, whatever the input."""
    assert nodes_of_table(page) == nodes_of_tree(page)


_PIECES = st.sampled_from(
    "<p> </p> <div> </div> <b> </b> <table> <tr> <td> </table> <ul> <li> </ul> <pre> \n </pre> <br> <script> </script> <!-- --> "
    "<style> </style> <noscript> </noscript> <svg> </svg> <math> <mi> </math> <template> </template> & &lt; &nbsp; < > \" = ' x y "
    "<a\x00b> <h1> </h1> <select> <option> </select> <x-y> <code> </code> <xmp> </xmp> <textarea> </textarea>".split(
        " "
    )
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=30))
def test_nodes_of_any_page_are_those_of_the_tree(pieces: list[str]) -> None:
    """The same of pages put together at random; subtrees end where the tree's do."""
    page = " ".join(pieces)
    expected = nodes_of_tree(page)
    names = {name for _, name, _ in expected}
    if names & {"svg", "plaintext"} or ("math" in names and names & {"script", "style", "xmp"}):
        return  # within those, what is raw elsewhere may hold elements; such text is never shown
    assert nodes_of_table(page) == expected
    _, table = read(page)
    for node in range(table.n_nodes):
        inside = [at for at in range(node + 1, table.n_nodes) if table.depth[at] <= table.depth[node]]
        assert table.end[node] == (inside[0] if inside else table.n_nodes)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_table(data: bytes) -> None:
    """Bytes that no parser wrote give some table, each node within its parent."""
    table = node_table(np.frombuffer(b"<" + data, np.uint8))
    assert all(table.parent[node] < node < table.end[node] <= table.n_nodes for node in range(table.n_nodes))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>One <b>and</b> two<p>three", ["One and two", "three"]),
        ("<div>a<div>b</div>c</div>", ["a", "b", "c"]),
        ("a<br>b<br> <br>c", ["ab", "c"]),
        ("<ul><li>a<ul><li>b</ul></ul>", ["a", "b"]),
        ("<table><tr><td>1<td><p>2<p>3</table>", ["1", "2", "3"]),
        ("<pre>a<div>b</div><br><br>c</pre>d", ["abc", "d"]),
        ("<p> &nbsp; <b> </b></p>", []),
        ("<p>x <script type='math/tex'>y</script> z", ["x y z"]),
        (
            "<script>no</script><style>no</style><svg><text>no</text></svg><select><option>no</select><video>no</video>",
            [],
        ),
        ("<title>no</title>yes", ["yes"]),
        ("<p>a <span hidden>no</span> b", ["a b"]),
        ("<noscript>yes</noscript>", ["yes"]),
    ],
)
def test_blocks_are_runs_of_inline_content(page: str, expected: list[str]) -> None:
    """A block ends where a block-level element begins or ends, or at two line breaks; what is never seen is in none."""
    assert blocks(page) == expected


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<div>", SHOWN),
        ("<div hidden>", HIDDEN_ATTRIBUTE),
        ("<div hidden=until-found>", SHOWN),
        ("<div style='color: red; DISPLAY : none'>", HIDDEN_STYLE),
        ("<div style='display:block'>", SHOWN),
        ("<div aria-hidden=true>", HIDDEN_ARIA),
        ("<div aria-hidden=false>", SHOWN),
        ("<div class='katex-html' aria-hidden=true>", SHOWN),
        ("<body style='display:none'>", SHOWN),
        ("<div title='hidden'>", SHOWN),
    ],
)
def test_hidden_blocks_are_told_apart(markup: str, reason: int) -> None:
    """What the page's markup hides is a block of its own with the rule that hides it; what follows is shown again."""
    _, table = read(markup + "<p>x</p></div><p>y")
    assert table.block_hidden.tolist() == [reason, SHOWN]


def test_pictures_of_formulas_are_content() -> None:
    """A picture whose alt is LaTeX makes a block, another does not."""
    assert blocks("<p><img alt='a photo'></p><p><img alt='\\frac{a}{b}'></p>") == [""]


def test_blocks_say_where_they_are() -> None:
    """A block's first node, its block-level element and its bytes of text."""
    _, table = read("<div> <p>ab <b>c</b></p></div>")
    assert table.block_first.tolist() == [np.flatnonzero(table.kind == TEXT_NODE)[1]]
    assert [TAGS[tag] for tag in table.tag[table.block_element]] == ["p"]
    assert table.block_bytes.tolist() == [4]
    assert [TAGS[table.tag[node]] for node in table.container[table.block_first]] == ["p"]


def test_attributes_are_found_by_name() -> None:
    """The value of the first attribute of that very name, decoded; -1 for none; empty values are values."""
    html, table = read("<p data-id=1 ID='a&amp;b \"c\"' empty>x")
    node = int(np.flatnonzero(table.tag == tags.P)[0])
    begin, finish = int(table.begin[node]), int(table.finish[node])
    assert decode_text(html, *find_attribute(html, begin, finish, name_bytes("id"))) == 'a&b "c"'
    assert find_attribute(html, begin, finish, name_bytes("i")) == (-1, -1)
    empty = find_attribute(html, begin, finish, name_bytes("empty"))
    assert empty[0] == empty[1] >= 0


def test_constants_are_the_numbers_of_their_names() -> None:
    """Each name has a constant, and facts for its number."""
    for number, name in enumerate(TAGS[4:], 4):
        assert getattr(tags, "ITALIC" if name == "i" else name.upper().replace("-", "_")) == number
    assert TAG_FACTS[tags.DIV] & BLOCK
    assert TAG_FACTS[tags.BR] & VOID
