"""Block lists: what a file's lines mean, what a sample must be or have to be on one, hostile files, and the rule of a list."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import small_recipe

from headwater.errors import CorruptLakeError, RecipeError, UsageError
from headwater.filters.blocklists.match import find_listed, make_block_list
from headwater.filters.blocklists.read import read_entries
from headwater.filters.blocklists.words import count_words, make_word_list
from headwater.filters.rules.rule_set import RuleSet, evaluate
from headwater.lineage.blocklists import check_blocklists, list_faults, store_blocklists
from headwater.pipelines.annotate.ready_lists import list_of
from headwater.pipelines.recipe.job import Recipe, load_recipe, parse_recipe

SHA = "0" * 64


def listed(kind: str, entries: str, values: Sequence[str | None]) -> list[int]:
    """Return the hits of each URL, or text, on a list."""
    lists = {"x": make_block_list(read_entries(entries.encode(), kind))}
    column = pa.array(values, pa.string())
    found = find_listed(lists, None if kind == "words" else column, column if kind == "words" else None, len(values))
    return [dict(hits).get("x", 0) for hits in found["listed"].to_pylist()]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("Example.ORG", "example.org"),
        ("*.example.org", "example.org"),
        ("||example.org^", "example.org"),
        ("0.0.0.0 example.org # ad", "example.org"),
        ("https://user@example.org:8/x", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_domains_in_many_forms(line: str, entry: str) -> None:
    """As lists of others write them: hosts files, filters of browsers, URLs."""
    found = read_entries(f"# comment\n! comment\n\n{line}\r\n".encode(), "domains")
    assert (found.entries, found.unusable) == ((entry,), 0)


def test_lines_that_cannot_be_used_are_counted() -> None:
    """Bad UTF-8, huge lines, what is no entry; the file's other lines count."""
    data = b"\xef\xbb\xbfa.example\n\xff\xfe\n" + b"x" * 100_000 + b"\nno domain\nb.example\na.example"
    found = read_entries(data, "domains")
    assert found.entries == ("a.example", "b.example")
    assert (found.unusable, found.first_unusable) == (3, 2)
    assert read_entries(b"\x00 \n" + "é".encode() * 300, "words").unusable == 1


def test_a_domain_holds_for_every_host_below_it() -> None:
    """A label more or less is another domain; what has no host is on no list."""
    urls = [
        "http://ads.example/",
        "http://x.ADS.example:80/",
        "http://badads.example/",
        "http://ads.example.org/",
        None,
        "isbn 1",
    ]
    assert listed("domains", "ads.example\n", urls) == [1, 1, 0, 0, 0, 0]
    assert listed("domains", "", urls) == [0] * 6


def test_urls_are_compared_in_normal_form() -> None:
    """Whole ones, and with * all that begin so, up to a border of the path; with and without scheme."""
    entries = "https://a.example/x?b=2&a=1\nb.example/private/*\nc.example/page*\n"
    urls = [
        "http://A.example/./x?a=1&b=2&utm_source=z",
        "http://a.example/x",
        "https://b.example/private/deep/er?q",
        "https://b.example/private",
        "https://c.example/page?x=1",
        "https://c.example/pages",
        "https://c.example/page",
    ]
    assert listed("urls", entries, urls) == [1, 0, 1, 0, 1, 0, 1]


def test_words_are_whole_words_of_the_language() -> None:
    """Never within another word, in any case, in rows of words too; in Chinese, Japanese and Thai wherever they stand."""
    words = "ass\nbad word\nc++\n坏话\nバカ\nСЛОВО\nЁлка\n"
    texts = [
        "class grass assets",
        "Ass. ASS, ass!",
        "a Bad\nword, bad words",
        "C++ and c",
        "这句坏话里有坏话",
        "バカバカ",
        "плохое слово",
        "ёлка",
        "",
    ]
    assert listed("words", words, texts) == [0, 3, 1, 1, 2, 2, 1, 1, 0]


def test_of_two_entries_the_longer_counts() -> None:
    """A row of words that goes on is not counted twice, and what follows it is looked at."""
    words = make_word_list(["new", "new york", "york city", "city"])
    assert count_words(pa.array(["new york city", "new new york york city", "york"]), words).tolist() == [2, 3, 0]


@given(
    st.lists(st.text("ab坏話 ", min_size=1, max_size=4).filter(str.strip), max_size=5), st.text("ab坏話 .", max_size=30)
)
def test_texts_have_at_least_the_entries_that_are_their_words(entries: list[str], text: str) -> None:
    """Every text that is an entry is found; no list finds more entries than a text has characters."""
    words = make_word_list([" ".join(entry.split()) for entry in entries])
    assert count_words(pa.array([text]), words)[0] <= len(text)
    for entry in entries:
        assert count_words(pa.array([" ".join(entry.split())]), words)[0] >= 1


def test_a_list_of_many_lines_is_read_and_compared_in_seconds() -> None:
    """300,000, half of them junk; 10,000 URLs against it."""
    draw = random.Random(5)
    lines = [f"d{draw.randrange(10**9)}.example" if n % 2 else f"junk {n} !" for n in range(300_000)]
    begin = time.process_time()
    found = make_block_list(read_entries("\n".join(lines).encode(), "domains"))
    uris = pa.array([f"http://sub.{lines[n * 2 + 1]}/{n}" for n in range(5000)] + ["http://x.example/"] * 5000)
    hits = find_listed({"x": found}, uris, None, 10_000)["listed"].to_pylist()
    assert time.process_time() - begin < 30
    assert sum(map(len, hits)) == 5000


def _with_lists(*lists: dict[str, object]) -> Recipe:
    return parse_recipe({**small_recipe().literals, "blocklists": list(lists)})


def _rule(recipe: Recipe, name: str) -> RuleSet:
    rules = recipe.rule_set
    return RuleSet(rules=tuple(rule for rule in rules.rules if rule.name == name))


def _reasons(rules: RuleSet, hits: Sequence[dict[str, int] | None], **columns: pa.Array) -> list[str | None]:
    listed = pa.array([None if each is None else list(each.items()) for each in hits], pa.map_(pa.string(), pa.int32()))
    table = pa.table({"listed": listed, **columns})
    found: list[str | None] = evaluate(table, rules)["first_reason"].to_pylist()
    return found


def test_a_list_is_a_rule_with_a_reason() -> None:
    """Domains and URLs by any hit; a missing measure is a reason of its own."""
    rules = _rule(_with_lists({"name": "ads", "kind": "domains", "sha256": SHA}), "blocklist_ads")
    assert _reasons(rules, [{}, {"ads": 1}, {"other": 1}, None]) == [None, "blocklist_ads", None, "missing:listed"]


def test_words_have_limits_by_language_and_a_share() -> None:
    """Just inside, at and just outside each limit; a text beyond the count stays while its share is small."""
    lists = {"name": "bad", "kind": "words", "sha256": SHA, "limit": {"default": 2, "de": 4}, "share": 0.01}
    rules = _rule(_with_lists(lists), "blocklist_bad")
    hits = [{"bad": n} for n in (2, 3, 4, 5, 5, 5)]
    language = pa.array(["en", "en", "de", "de", "en", "en"])
    words = pa.array([10, 10, 10, 10, 500, 499], pa.int32())
    reason = "blocklist_bad"
    assert _reasons(rules, hits, language=language, gopher_words=words) == [None, reason, None, reason, None, reason]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "Ads", "kind": "domains", "sha256": SHA}, "name: expected a name of a-z"),
        ({"name": "ads", "kind": "hosts", "sha256": SHA}, "kind: expected one of domains, urls, words"),
        ({"name": "ads", "kind": "urls", "sha256": "1"}, "sha256: expected 64"),
        ({"name": "ads", "kind": "urls", "sha256": SHA, "limit": 2}, "limit: expected it of a list of words only"),
        ({"name": "ads", "kind": "words", "sha256": SHA, "limit": {"de": 2}}, "limit: expected a default"),
        ({"name": "ads", "kind": "words", "sha256": SHA, "share": "x"}, "expected a finite number"),
        ({"name": "ads", "kind": "words"}, "sha256"),
    ],
)
def test_a_section_that_is_none_is_refused(table: dict[str, object], message: str) -> None:
    """Names, kinds, digests and limits."""
    with pytest.raises(RecipeError, match=message):
        _with_lists(table)


def test_the_content_is_the_identity_and_the_lake_keeps_it(tmp_path: Path) -> None:
    """A recipe finds its file from its own folder; another path or a later edit of the file changes nothing that was stored."""
    lake, file = str(tmp_path / "lake"), tmp_path / "ads.txt"
    file.write_text("ads.example\n")
    toml = Path(__file__).parents[2] / "pipelines" / "recipe" / "recipes" / "tiny.toml"
    place = tmp_path / "recipe.toml"
    place.write_text(toml.read_text() + '\n[[blocklists]]\nname = "ads"\nkind = "domains"\nfile = "ads.txt"\n')
    recipe = load_recipe(place)
    (found,) = recipe.blocklists
    assert found.sha256 == hashlib.sha256(b"ads.example\n").hexdigest()
    assert "file" not in recipe.literals["blocklists"][0]
    assert parse_recipe(recipe.literals) == recipe
    assert load_recipe(toml).fingerprint != recipe.fingerprint
    stored = parse_recipe(recipe.literals).blocklists
    with pytest.raises(UsageError, match="give its file in the recipe"):
        check_blocklists(lake, stored)
    assert store_blocklists(lake, recipe.blocklists) == {"blocklist_ads_entries": 1, "blocklist_ads_unusable": 0}
    assert store_blocklists(lake, recipe.blocklists) == {}
    file.write_text("other.example\n")
    check_blocklists(lake, recipe.blocklists)
    check_blocklists(lake, stored)
    with pytest.raises(UsageError, match="as the recipe pins it"):
        check_blocklists(str(tmp_path / "new"), recipe.blocklists)
    assert len(list_of(lake, found.sha256, "domains").hashes) == 1
    assert list_faults(lake) == (1, [])
    next(tmp_path.glob("lake/blocklists/*.txt")).write_text("changed")
    list_of.cache_clear()
    with pytest.raises(CorruptLakeError, match="restore it from a copy"):
        list_of(lake, found.sha256, "domains")
    assert list_faults(lake)[1]
    file.write_text("no domain\nnone either\na.example\n")
    with pytest.raises(UsageError, match="found 2 lines that are none and 1 that are; the first is line 1"):
        check_blocklists(lake, load_recipe(place).blocklists)
    file.unlink()
    with pytest.raises(RecipeError, match=r"blocklists\[0\]: file: block list"):
        load_recipe(place)
