"""Which blocks of a page are its main text, and why others are not."""

from __future__ import annotations

import numpy as np
import pytest
from html_reference import read

from headwater.errors import BadInputError
from headwater.filters.html import choose
from headwater.filters.html.attributes import decode_text
from headwater.filters.html.choice_model import load_choice_model, parse_choice_model
from headwater.filters.html.choose import REASONS, choose_blocks, keep_expected
from headwater.filters.html.nodes import TEXT_NODE
from headwater.filters.html.page_kind import PAGE_KINDS

SENTENCES = (
    "The river had been rising since the night before, and by noon the lower fields were under water.",
    "Farmers moved their animals to the hill, as their grandparents had done, and waited for the news.",
    "Nobody in the village remembered a spring like this one, although the old books speak of two.",
    "By evening the rain had stopped, the water stood still, and the first boats went out to look.",
)
MENU = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("Home", "News", "Sport", "Weather", "Contact"))
ARTICLE = f"""<!doctype html><html><head><title>High water in the valley</title>
<meta property="og:type" content="article"></head><body>
<header class="site-header"><nav class="main-nav"><ul>{MENU}</ul></nav></header>
<main><article class="post"><h1>High water in the valley</h1>
{"".join(f"<p>{text} {text}</p>" for text in SENTENCES)}
<div hidden><p>This paragraph is shown to nobody at all.</p></div></article>
<aside class="related-posts"><h3>Related</h3><ul>{MENU}</ul></aside>
<section id="comments" class="comments-area"><ol class="comment-list"><li class="comment"><p>Same here!</p></li></ol></section></main>
<div class="cookie-consent"><button>Accept all cookies</button></div>
<footer class="site-footer"><p>© 2024 The Valley. All rights reserved.</p><ul>{MENU}</ul></footer></body></html>"""


def texts_by_reason(page: str) -> dict[str, list[str]]:
    """Return the texts of a page's blocks by why they are kept or left out."""
    html, table = read(page)
    texts = [""] * table.n_blocks
    for node in np.flatnonzero((table.kind == TEXT_NODE) & (table.block >= 0)):
        texts[table.block[node]] += decode_text(html, int(table.begin[node]), int(table.finish[node]))
    found: dict[str, list[str]] = {name: [] for name in REASONS}
    for text, reason in zip(texts, choose_blocks(html, table).reason, strict=True):
        found[REASONS[reason]].append(" ".join(text.split()))
    return found


def test_an_article_is_kept_and_what_stands_around_it_is_not() -> None:
    """Every paragraph is kept; menu, footer, hidden text, buttons and a reader's comment have their own reasons."""
    found = texts_by_reason(ARTICLE)
    assert [text for text in found["kept"] if text.startswith(SENTENCES)] == [f"{text} {text}" for text in SENTENCES]
    assert "This paragraph is shown to nobody at all." in found["hidden"]
    assert "Weather" in found["navigation"]
    assert "Accept all cookies" in found["controls"]
    assert "Same here!" in found["comments"]
    assert not any("rights reserved" in text for text in found["kept"])


def test_posts_of_a_forum_are_main_text() -> None:
    """Posts of a thread are kept, where comments below an article are not."""
    posts = "".join(
        f'<div class="post" id="post-{number}"><div class="author"><a href="/u">user{number}</a></div>'
        f'<div class="post-content"><p>{text}</p></div></div>'
        for number, text in enumerate(SENTENCES * 2)
    )
    page = (
        '<html><head><title>Flood? - Forum</title><meta name="generator" content="phpBB">'
        '<script type="application/ld+json">{"@type":"DiscussionForumPosting"}</script></head>'
        f'<body class="forum"><nav><ul>{MENU}</ul></nav><div class="topic"><h1>Flood?</h1>{posts}</div></body></html>'
    )
    kept = texts_by_reason(page)["kept"]
    assert set(SENTENCES) <= set(kept)
    assert not {"Home", "Sport"} & set(kept)


def test_a_choice_has_the_same_bits_whatever_was_chosen_before() -> None:
    """Answers depend on the page alone."""
    html, table = read(ARTICLE)
    first = choose_blocks(html, table)
    choose_blocks(*read("<p>" + "<p>".join(SENTENCES)))
    again = choose_blocks(html.copy(), table)
    assert first.answers.tobytes() == again.answers.tobytes()
    assert first.reason.tobytes() == again.reason.tobytes()
    assert first.page_kind == again.page_kind
    assert first.page_kind in PAGE_KINDS


@pytest.mark.parametrize("page", ["", "<script>1</script>", "<p> </p>", "x", "<p>a<p>b", "<table><tr><td>1" * 50])
def test_any_page_has_a_choice(page: str) -> None:
    """A page without blocks has an empty choice and no kind; any other has a reason for each block."""
    html, table = read(page)
    choice = choose_blocks(html, table)
    assert len(choice.keep) == len(choice.reason) == table.n_blocks
    assert ((choice.reason == choose.KEPT) == choice.keep).all()
    assert bool(choice.page_kind) == bool(table.n_blocks)
    assert np.isfinite(choice.answers).all()


def test_blocks_are_kept_down_to_half_the_expected_f1() -> None:
    """100 words of .9 and 100 of .5: both are kept (F1 .82 against .76); of 100 of .2 none (limit .15 does not matter)."""
    words = np.array([100.0, 100.0])
    assert keep_expected(np.array([0.9, 0.5], np.float32), words).tolist() == [True, True]
    assert keep_expected(np.array([0.9, 0.2], np.float32), words).tolist() == [True, False]
    assert keep_expected(np.array([0.1, 0.1], np.float32), words).tolist() == [False, False]
    assert keep_expected(np.array([0.5, 0.99], np.float32), words).tolist() == [True, True]


def test_a_damaged_model_is_named() -> None:
    """A file that is no model is an error that names it."""
    with pytest.raises(BadInputError, match="x.npz"):
        parse_choice_model(b"no archive", "x.npz")
    assert len(load_choice_model().sha256) == 64
