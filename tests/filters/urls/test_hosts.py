"""Hosts in one form, and URLs whose credentials nobody sees, in what counts hosts and in what asks for them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from named_samples import samples_named
from text_lake import Document, make_text_lake

from headwater.errors import UsageError
from headwater.filters.urls.hosts import host_of, hosts, without_credentials
from headwater.lineage.finding import placements_of
from headwater.lineage.lookup import open_lookup
from headwater.lineage.story import why
from headwater.lineage.views import connect_for_users
from headwater.pipelines.ingest.fields import FieldPlacer

FORMS = {
    "example.org": [
        "https://example.org/",
        "HTTP://EXAMPLE.ORG/",
        "https://user:pw@example.org:8443/",
        "https://a@b@Example.Org?x@y",
        "ftp://example.org.",
        "http://ex%61mple.org#a@b",
        "http://ｅｘａｍｐｌｅ.org/",
        " https://example.org/a",
    ],
    "xn--bcher-kva.example": [
        "http://bücher.example/",
        "http://BÜCHER.EXAMPLE/",
        "http://bu\u0308cher.example:80",
        "https://XN--bcher-KVA.example.",
    ],
    "xn--strae-oqa.de": ["http://straße.de"],
    "strasse.de": ["http://strasse.de"],
    "xn--r8jz45g.xn--zckzah": ["http://例え。テスト/", "http://例え.テスト"],
    "[2001:db8::1]": ["http://[2001:DB8::1]:80/"],
    "example.org.evil.net": ["http://example.org.evil.net/", "http://example.org@example.org.evil.net"],
    "notexample.org": ["http://notexample.org/?u=https://example.org/"],
}
NONE = [
    "isbn 1",
    "",
    "mailto:a@example.org",
    "file:///example.org/a",
    "http://",
    "http://./",
    "http://user@/",
    "//example.org/a",
    "example.org",
]


@pytest.mark.parametrize(("host", "uri"), [(host, uri) for host, uris in FORMS.items() for uri in uris])
def test_a_host_has_one_form(host: str, uri: str) -> None:
    """Scheme, case, credentials, port, a dot at the end, escapes and the form of letters beyond ASCII make no other host."""
    assert host_of(uri) == host
    assert hosts(pa.chunked_array([[uri, None]]), pa.chunked_array([["s", "s"]])).to_pylist() == [host, "s"]


@pytest.mark.parametrize("uri", NONE)
def test_what_has_no_host_counts_for_its_source(uri: str) -> None:
    """Ids, paths, addresses of mail and what is no URL."""
    assert host_of(uri) is None
    assert hosts(pa.chunked_array([[uri]]), pa.chunked_array([["books"]])).to_pylist() == ["books"]


def test_samples_are_found_by_a_host_in_any_form(tmp_path: Path) -> None:
    """Whatever form is asked for, and whatever form the URLs have; a limit takes the first."""
    placed = [(host, uri) for host, uris in FORMS.items() for uri in uris] + [("", uri) for uri in NONE]
    make_text_lake(tmp_path, [[Document(str(n), uri) for n, (_, uri) in enumerate(placed)]])
    for host, uris in FORMS.items():
        expected = [n for n, (each, _) in enumerate(placed) if each == host]
        for asked in (host, host.upper(), *([] if host.startswith("[") else [f"{host}."]), f"{host}:443", *uris):
            assert samples_named(str(tmp_path), host=asked) == expected
    assert samples_named(str(tmp_path), host="example.org", limit=3) == [0, 1, 2]
    for wrong in ("", "//", "https://", "exampleXorg", "%"):
        with pytest.raises(UsageError, match="^expected"):
            samples_named(str(tmp_path), host=wrong)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://user:pw@example.org:8443/a", "https://example.org:8443/a"),
        ("https://user@example.org", "https://example.org"),
        ("https://a:b@c:d@example.org/", "https://example.org/"),
        ("s3://key:secret@bucket/a", "s3://bucket/a"),
        ("https://example.org/@user?to=a@b#c@d", "https://example.org/@user?to=a@b#c@d"),
        ("https://example.org?a@b", "https://example.org?a@b"),
        ("a@example.org", "a@example.org"),
        ("doi:10.1/a@b", "doi:10.1/a@b"),
        ("", ""),
    ],
)
def test_credentials_are_dropped_and_nothing_else(given: str, shown: str) -> None:
    """What stands before the host, up to the last @ of that part; an @ elsewhere is no credential. Ingest stores it so."""
    assert without_credentials(given) == shown
    placed = FieldPlacer(64).place({"url": given})
    assert placed is not None
    assert placed[1] == (shown or None)


def test_credentials_of_an_earlier_lake_are_not_shown_and_its_documents_found_both_ways(tmp_path: Path) -> None:
    """A lake that holds such a URL: every answer has it without, and it is found by either form."""
    stored = "https://user:pw@example.org:8443/a"
    make_text_lake(tmp_path, [[Document("text", stored), Document("other", "https://example.org/b")]])
    for asked in (stored, "https://example.org:8443/a", "https://else:x@example.org:8443/a"):
        assert samples_named(str(tmp_path), uri=asked) == [0]
    assert why(open_lookup(str(tmp_path)), 0)["content"]["uri"] == "https://example.org:8443/a"
    assert placements_of(open_lookup(str(tmp_path)), [0])[0]["uri"] == "https://example.org:8443/a"
    with pytest.raises(UsageError, match="found none in this lake"):
        samples_named(str(tmp_path), uri="https://example.org/a")
    with connect_for_users(str(tmp_path)) as opened:
        assert opened.execute("SELECT uri FROM samples ORDER BY sample_id").fetchall() == [
            ("https://example.org:8443/a",),
            ("https://example.org/b",),
        ]
