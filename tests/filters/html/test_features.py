"""What is measured of blocks against plain Python, on pages that have something of everything."""

from __future__ import annotations

import re

import numpy as np
import pytest
from html_reference import read

from headwater.filters.html.attributes import decode_text, find_attribute, name_bytes
from headwater.filters.html.element_marks import MARKS, N_GROUPS, element_words, word_hash
from headwater.filters.html.features import FEATURES, WordWeights, measure_blocks
from headwater.filters.html.nodes import TEXT_NODE, NodeTable
from headwater.filters.html.page_hints import page_hints
from headwater.filters.html.second_features import ANSWERS, measure_answers
from headwater.filters.html.tags import TAGS

PAGES = (
    "<title>Ab cd</title><h1>Ab cd ef</h1><p class=x1>Über alles, 2 Worte! <a href=/>Mehr …</a></p><p class=x2>Ab cd</p>"
    "<ul><li>one<li><a>two</a><li>three<li>one</ul><div id=comments><div class=commentItem><b>Hi</b> you</div></div>",
    "<table><tr><td>a &amp; b<td>1.50 €<tr><td>漢字かな、です。<td>x</table><h2>Next</h2><div><div><p>p q r</p><p>p q r</p></div></div>",
    '<script type="application/ld+json">{"@type": "Article", "articleBody": "one two three four"}</script>'
    '<meta name=description content="five six seven eight"><link rel=canonical href="https://shop.example/blog/a-b-c-9?x=1">'
    "<nav><a>m</a> <a>n</a></nav><main><p>one two three <i>four</i></p><p>five six seven nine</p><p hidden>h</p></main>",
)


def weights(**values: float) -> WordWeights:
    """Return weights of words, the same for each group."""
    pairs = sorted((word_hash(word), value) for word, value in values.items())
    table = np.array([[value] * N_GROUPS for _, value in pairs], np.float32).reshape(-1, N_GROUPS)
    return WordWeights(hashes=np.array([value for value, _ in pairs], np.uint32), weights=table)


def columns(page: str, **values: float) -> dict[str, list[float]]:
    """Return the features of a page's blocks by name."""
    html, table = read(page)
    rows = measure_blocks(html, table, weights(**values)).rows
    return {name: rows[:, number].tolist() for number, name in enumerate(FEATURES)}


def block_texts(html: np.ndarray[tuple[int], np.dtype[np.uint8]], table: NodeTable) -> list[tuple[str, str]]:
    """Return text and linked text of each block."""
    texts = [["", ""] for _ in range(table.n_blocks)]
    for node in np.flatnonzero((table.kind == TEXT_NODE) & (table.block >= 0)):
        text = decode_text(html, int(table.begin[node]), int(table.finish[node]))
        texts[table.block[node]][0] += text
        above = int(table.parent[node])
        while above >= 0 and TAGS[table.tag[above]] != "a":
            above = int(table.parent[above])
        texts[table.block[node]][1] += text if above >= 0 else ""
    return [(text, linked) for text, linked in texts]


def way(html: np.ndarray[tuple[int], np.dtype[np.uint8]], table: NodeTable, node: int) -> tuple[str, ...]:
    """Return the forms of the elements from a node to the root."""
    forms = []
    while node >= 0:
        begin, finish = int(table.begin[node]), int(table.finish[node])
        name = decode_text(html, *find_attribute(html, begin, finish, name_bytes("class")))
        forms.append(f"{TAGS[table.tag[node]]}.{re.sub('[0-9]', '', name)}")
        node = int(table.parent[node])
    return tuple(forms)


@pytest.mark.parametrize("page", PAGES)
def test_counts_equal_those_of_plain_python(page: str) -> None:
    """Letters, digits, links, repetitions, ways, copies, places and containers are what a plain walk counts."""
    html, table = read(page)
    found, texts = columns(page), block_texts(html, table)
    solid = [re.sub(r"\s", "", text) for text, _ in texts]
    ways = [way(html, table, int(element)) for element in table.block_element]
    inside = [
        [int(table.block_element[other]) in range(element, table.end[element]) for other in range(table.n_blocks)]
        for element in table.block_element
    ]
    chars = found["chars"]
    for number in range(table.n_blocks):
        text, linked = texts[number]
        assert chars[number] == pytest.approx(len(" ".join(text.split())), abs=1)  # a space at an end may count
        assert found["digit_share"][number] * chars[number] == pytest.approx(sum(map(str.isdigit, text)))
        assert found["letter_share"][number] * chars[number] == pytest.approx(sum(map(str.isalpha, text)))
        assert found["link_share"][number] * chars[number] == pytest.approx(len(re.sub(r"\s", "", linked)))
        assert found["way_blocks"][number] == ways.count(ways[number])
        assert found["copies"][number] == solid.count(solid[number])
        assert found["copies_before"][number] == solid[:number].count(solid[number])
        assert found["place"][number] == np.float32(number / table.n_blocks)
        assert found["around0_blocks"][number] == sum(inside[number])
        assert found["hidden"][number] == (table.block_hidden[number])
        assert found["page_blocks"][number] == table.n_blocks
        element, mine = int(table.block_element[number]), ways[number][0]
        same = [
            node for node in range(table.n_nodes)
            if table.kind[node] != TEXT_NODE and table.parent[node] == table.parent[element] and way(html, table, node)[0] == mine
        ]  # fmt: skip
        assert found["repeated0"][number] == len(same)


def test_marks_and_weights_are_those_of_the_elements_around() -> None:
    """Tags and class words mark all below; of weights the least and greatest on the way count, and the nearest."""
    found = columns(PAGES[0], comments=-2.0, item=0.5)
    assert found["mark_li"] == [0, 0, 0, 1, 1, 1, 1, 0]
    assert found["mark_w_comment"] == [0, 0, 0, 0, 0, 0, 0, 1]
    assert found["words0_least"][-1] == -2.0
    assert found["words0_most"][-1] == found["words0_near"][-1] == 0.5
    assert found["words2_near"][:-1] == [0.0] * 7
    assert len(MARKS) <= 64


def test_hints_find_what_descriptions_repeat() -> None:
    """Trigrams of JSON-LD and of the description are known; the address and types of JSON-LD are tokens."""
    found = columns(PAGES[2])
    assert found["linked"][1:3] == [1.0, 0.0]
    assert found["described"][1:3] == [0.0, 0.5]
    tokens = page_hints(*read(PAGES[2])).tokens
    assert {"ld:Article", "host:shop", "path:blog", "dashes:3", "digits:1", "query:1"} <= set(tokens)
    assert columns(PAGES[0])["titled"][:2] == [np.float32(2 / 3), 0.0]


def test_words_are_cut_at_capitals_and_marks() -> None:
    """Words of one letter, digits and other attributes are passed over; whole names of several words count as well."""
    out = np.zeros(16, np.uint32)
    html = np.frombuffer(b' class="postBody2 a x-y menu" data-x="no" id="n1Top"', np.uint8)
    n, _ = element_words(html, 0, len(html), out)
    wanted = ["post", "body", "=postbody", "=xy", "menu", "top", "=ntop"]
    assert [int(value) for value in out[:n]] == [word_hash(word) for word in wanted]


def test_answers_of_others_are_means_over_them() -> None:
    """Neighbours, copies and the mean of the page, weighted by chars."""
    html, table = read("<p>aa</p><p>aa</p><div><p>bbbb</p></div>")
    measured = measure_blocks(html, table, weights())
    rows = measure_answers(table, measured, np.array([0.75, 0.25, 0.5], np.float32))
    found = {name: rows[:, number].tolist() for number, name in enumerate(ANSWERS)}
    assert found["answer"] == [0.75, 0.25, 0.5]
    assert found["answer-1"] == [-1.0, 0.75, 0.25]
    assert found["answer+1"] == [0.25, 0.5, -1.0]
    assert found["copies_most"] == [0.75, 0.75, 0.5]
    assert found["way_mean"] == [0.5, 0.5, 0.5]
    assert found["page_mean"] == [np.float32((3 * 0.75 + 3 * 0.25 + 5 * 0.5) / 11)] * 3
    assert found["answers_around0"] == [0.75, 0.25, 0.5]
    assert found["after_kept"] == [999.0, 1.0, 2.0]
