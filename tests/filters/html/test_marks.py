"""What a page says of its use: directives, reservations, licences, and what is none."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from headwater.filters.html.licenses import RIGHTS_STATEMENT, license_mark
from headwater.filters.html.marks import MOST_MARKS, Marks, page_marks
from headwater.filters.html.nodes import node_table
from headwater.filters.html.parse import normal_html
from headwater.filters.html.robots import robot_marks

BY = "https://creativecommons.org/licenses/by/4.0/"


def marks(page: str, url: str | None = None, **headers: str) -> Marks:
    """Return the marks of a page given as text."""
    html = np.frombuffer(normal_html(page.encode()), np.uint8)
    return page_marks(html, node_table(html), {name.replace("_", "-"): value for name, value in headers.items()}, url)


@pytest.mark.parametrize(
    ("page", "headers", "robots"),
    [
        ("<meta name=robots content='NOINDEX, nofollow'>", {}, ["nofollow", "noindex"]),
        ("<META NAME=' Robots ' CONTENT=noai>", {}, ["noai"]),
        ("<meta name=GPTBot content=noindex><meta name=robots content=noimageai>", {}, ["gptbot:noindex", "noimageai"]),
        (
            "<meta name=robots content='max-snippet:-1, max-image-preview: large'>",
            {},
            ["max-image-preview:large", "max-snippet:-1"],
        ),
        ("", {"x_robots_tag": "noindex"}, ["noindex"]),
        (
            "",
            {"x_robots_tag": "noarchive, otherbot: noindex, nofollow"},
            ["noarchive", "otherbot:nofollow", "otherbot:noindex"],
        ),
        (
            "<meta name=tdm-reservation content=1>",
            {"tdm_policy": "https://a.example/p"},
            ["tdm-policy:https://a.example/p", "tdm-reservation:1"],
        ),
        ("", {"tdm_reservation": "0"}, ["tdm-reservation:0"]),
        ("<meta name=robots content=noindex>", {"x_robots_tag": "noindex"}, ["noindex"]),
        ("<meta name=description content=noindex><p>noindex</p>", {}, []),
        ("<meta name=robots>", {"x_robots_tag": ", :, a b c"}, []),
        ("<!-- <meta name=robots content=noindex> --><script>'<meta name=robots content=noindex>'</script>", {}, []),
    ],
)
def test_directives_come_from_tags_and_headers(page: str, headers: dict[str, str], robots: list[str]) -> None:
    """Meta tags of all and of single programs, X-Robots-Tag with its prefixes, reservations; never what only looks so."""
    assert marks(page, **headers).robots == robots


def test_a_date_keeps_its_comma() -> None:
    """unavailable_after in the form of RFC 850, then other directives."""
    found = robot_marks("unavailable_after: Friday, 25-Jun-10 15:00:00 PST, noindex")
    assert found == ["unavailable_after:friday, 25-jun-10 15:00:00 pst", "noindex"]


@pytest.mark.parametrize(
    ("page", "licenses"),
    [
        (f"<a rel='nofollow license' href='{BY}deed.de'>", ["CC-BY-4.0"]),
        (f"<link rel=LICENSE href='{BY}'>", ["CC-BY-4.0"]),
        (f"<a rel=cc:license href='{BY}'><a href='{BY}'>", ["CC-BY-4.0"]),
        (f"<a href='{BY}'>", ["link:CC-BY-4.0"]),
        ("<a href='https://example.org/licenses/by'>licence</a><p>license</p>", []),
        ("<a rel=license href='/terms'>", ["https://example.org/terms"]),
        (f"<span><a property='dct:license' href='{BY}'></a></span>", ["CC-BY-4.0"]),
        (f"<meta itemprop=license content='{BY}'>", ["CC-BY-4.0"]),
        ("<meta name=DC.Rights content='(c) 2020 A. Person'>", [RIGHTS_STATEMENT]),
        ("<meta name=dcterms.license content='CC BY-SA 4.0 International'>", ["CC-BY-SA-4.0"]),
        (f'<script type="application/ld+json">{{"@type":"Article","license":"{BY}"}}</script>', ["CC-BY-4.0"]),
        (f'<script type="application/ld+json">{{"@graph":[{{"license":{{"@id":"{BY}"}}}}]}}</script>', ["CC-BY-4.0"]),
        (f'<script type="application/ld+json">{{"image":{{"@type":"ImageObject","license":"{BY}"}}}}</script>', []),
        (f'<script type="application/ld+json">{{"license":"{BY}",</script>', []),
        (f'<script>{{"license":"{BY}"}}</script>', []),
        ("<a rel=license href=''>", []),
    ],
)
def test_licences_are_found_where_pages_name_them(page: str, licenses: list[str]) -> None:
    """Links, RDFa, microdata, Dublin Core, JSON-LD; a bare link to Creative Commons is told apart, a picture's licence left out."""
    assert marks(page, "https://example.org/a").licenses == licenses


def test_the_header_link_names_a_licence() -> None:
    """RFC 8288, with and without quotes."""
    value = f'<{BY}>; rel=license, <https://a.example/>; rel="next", <https://b.example/x>; rel="license up"'
    assert marks("", link=value).licenses == ["CC-BY-4.0", "https://b.example/x"]


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ("http://creativecommons.org/licenses/by-nc-nd/2.0/jp/legalcode", "CC-BY-NC-ND-2.0-JP"),
        ("https://creativecommons.org/licenses/by/4.0/deed.fr", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/3.0/igo/", "CC-BY-3.0-IGO"),
        ("https://creativecommons.org/licenses/by", "CC-BY"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://creativecommons.org/licenses/other/4.0/", "https://creativecommons.org/licenses/other/4.0/"),
        ("CC0", "CC0"),
        ("cc-by-nc", "CC-BY-NC"),
        ("Creative Commons BY 4.0", "CC-BY-4.0"),
        ("javascript:void(0)", RIGHTS_STATEMENT),
        ("/x", RIGHTS_STATEMENT),
        ("   ", None),
    ],
)
def test_licences_have_one_form(value: str, mark: str | None) -> None:
    """Identifiers for Creative Commons, normal URLs for others; a free text is never repeated."""
    assert license_mark(value) == mark


def test_hostile_pages_give_bounded_marks_in_linear_time() -> None:
    """A hundred thousand metas and licences, JSON-LD nested as deep as it is long, an attribute of a megabyte."""
    pages = [
        "".join(f"<meta name=robots content=x{n}>" for n in range(100_000)),
        "".join(f"<a rel=license href=https://a.example/{n}>" for n in range(20_000)),
        f'<script type="application/ld+json">{"[" * 200_000}"license"</script>',
        f'<script type="application/ld+json">{json.dumps({"license": [BY] * 30_000})}</script>',
        f"<meta name=robots content='{'noindex,' * 200_000}'>",
        f"<a rel=license href='{'l' * 1_000_000}'>",
        "<a href='licen" + "licenc" * 200_000 + "'>",
        "<a " + " ".join(f"l{n}=c" for n in range(20_000)) + " rel=license href=/x>",
    ]
    for page in pages:
        html = np.frombuffer(normal_html(page.encode()), np.uint8)
        table = node_table(html)
        begin = time.process_time()
        found = page_marks(html, table, {"x-robots-tag": "noindex," * 100_000, "link": "<" * 100_000})
        assert time.process_time() - begin < 5  # quadratic would be minutes
        assert len(found.robots) <= MOST_MARKS
        assert len(found.licenses) <= MOST_MARKS
        assert all(len(mark) <= 600 for mark in [*found.robots, *found.licenses])
