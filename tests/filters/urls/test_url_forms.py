"""One form of a URL: what makes no other page, what does, and hostile ones."""

from __future__ import annotations

import re
import time

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headwater.filters.urls.columns import capture_columns
from headwater.filters.urls.hosts import HOST_PATTERN, host_of, plain_host
from headwater.filters.urls.normalize import URL_PARTS, normalize_url, without_breaks
from headwater.filters.urls.suffixes import registered_domain
from headwater.hashes import short_hashes

SAME = {
    "http://example.org/": [
        "HTTP://EXAMPLE.ORG",
        "http://example.org:80/",
        "http://example.org:/",
        "http://user:pw@example.org/#top",
        "  http://exa\nmple.org/\t",
        "http://example.org/?",
        "http://example.org?#?",
        "http://example.org/?utm_source=a&UTM_Medium=b&gclid=1&fbclid=2",
        "http://example.org/;jsessionid=AF",
        "http://example.org\\",
        "http://ｅｘａｍｐｌｅ.org/",
    ],
    "https://example.org:8443/a/~c?a=1&b=2": ["https://Example.org:08443/a/./b/../%7Ec?b=2&&a=1&mc_eid=7"],
    # RFC 3986, section 6.2.2: its own example, and section 5.4.2's abnormal ones.
    "example://a/b/c/%7Bfoo%7D": ["eXAMPLE://a/./b/../b/%63/%7bfoo%7d"],
    "http://a/g": [
        "http://a/../../g",
        "http://a/b/c/../../g",
        "http://a/./g",
        "http://a/b/%2e%2E/g",
        "http://a/b/.%2e/g",
    ],
    "http://a/b/": ["http://a/b/c/..", "http://a/b/.", "http://a/b/c/../"],
    "http://a/%C3%A9?q=%20%C3%A9": ["http://a/é?q= é ", "http://a/%c3%a9?q=%20%c3%a9"],
    "http://a/%25zz%25": ["http://a/%zz%", "http://a/%25zz%25"],
    "http://a/?q=it%27s": ["http://a/?q=it's"],
    "http://a/?x=2&x=1&y": ["http://a/?y&x=2&x=1"],
    "http://a/p?sid=7": ["http://a/p?sid=7&sid=0123456789abcdef0123456789ABCDEF&PHPSESSID=0123456789abcdef0123456789"],
    "http://a/x.aspx": ["http://a/(S(lit3py55t21z5v55vlm25s55))/x.aspx"],
    "http://127.0.0.1/": ["http://0x7f.1/", "http://2130706433", "http://0177.0.0.01:80/", "http://127.1./"],
    "http://[2001:db8::1]/": ["http://[2001:DB8:0:0:0:0:0:1]:80"],
}
"""Normal form → forms of the same page."""
DIFFERENT = [
    ("http://a/x", "https://a/x"),
    ("http://www.a.org/", "http://a.org/"),
    ("http://a/x", "http://a/x/"),
    ("http://a/x", "http://a/X"),
    ("http://a//x", "http://a/x"),
    ("http://a/%2Fx", "http://a//x"),
    ("http://a/?q=a+b", "http://a/?q=a%20b"),
    ("http://a/?id=1", "http://a/?id=2"),
    ("http://a/?x=1&x=2", "http://a/?x=2&x=1"),
    ("http://a/?ref=x", "http://a/"),
    ("http://a/?sid=7", "http://a/"),
    ("http://a/?a=", "http://a/?a"),
    ("http://a:8080/", "http://a/"),
    ("http://a/index.html", "http://a/"),
]
_URLS = st.one_of(
    st.text(max_size=30).map("http://a.example/{}".format),
    st.text("/.%2eE?#&=;:@\\ []()aZ~'é\t", max_size=40).map("http://a.example/{}".format),
    st.text("/.%2e?#:@\\[]a0x1é ", max_size=20).map("http://{}".format),
    st.text(max_size=40),
)


@pytest.mark.parametrize(("normal", "url"), [(key, url) for key, urls in SAME.items() for url in [key, *urls]])
def test_forms_of_one_page_have_one_form(normal: str, url: str) -> None:
    """RFC 3986, section 6.2, and the URL standard's hosts; parameters of tracking and sessions make no other page."""
    assert normalize_url(url) == normal


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_may_be_another_page_stays_one(one: str, other: str) -> None:
    """Scheme, www, case of paths, slashes, reserved escapes, values and their order within a name."""
    assert normalize_url(one) != normalize_url(other)


@given(_URLS)
@example("http://a/%25%2541")
@example("http://a/a/..;jsessionid=1/b")
@example("http://a/;jsessionid=.")
def test_a_normal_form_is_its_own_and_has_the_host_of_questions(url: str) -> None:
    """Applied twice it changes nothing; a URL has a host here exactly where ``host_of`` finds one, the same."""
    normal = normalize_url(url)
    host = host_of(without_breaks(url))
    assert (normal is None) == (host is None)
    if normal is not None:
        assert normalize_url(normal) == normal
        assert host_of(normal) == host


@given(_URLS)
def test_the_pattern_of_queries_and_the_parts_agree(url: str) -> None:
    """``HOST_PATTERN``, which DuckDB and Arrow run too, and ``URL_PARTS`` find the same host as written."""
    parts, pattern = URL_PARTS.match(url), re.match(HOST_PATTERN, url)
    assert (parts[2] if parts else None) == (pattern["host"] if pattern else None)


@pytest.mark.parametrize("host", ["a%2Fb", "a b.org", "a<b>.org", "ex%00ample.org", "a" * 1001, "é" * 1001, "a%23.org"])
def test_what_can_be_no_host_is_none(host: str) -> None:
    """Forbidden code points, also behind escapes, and names beyond all measure."""
    assert plain_host(host) == ""
    assert capture_columns(pa.array([f"http://{host}/"])).to_pylist() == [
        {"host": None, "domain": None, "url_key": None}
    ]


@pytest.mark.parametrize("host", ["1.2.3.4.5", "256.1.1.1", "1.2.3.256", "08.1", "[::1::2]", "[x]"])
def test_a_broken_address_stays_as_written(host: str) -> None:
    """It is no address and no error, and its registered domain is itself."""
    assert registered_domain(plain_host(host)) == plain_host(host) == host


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("x.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.b.github.io", "b.github.io"),
        ("github.io", "github.io"),
        ("com", "com"),
        ("www.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
        ("a.b.unheard-of-suffix", "b.unheard-of-suffix"),
        ("10.0.0.1", "10.0.0.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("localhost", "localhost"),
        ("a..b.com", "a..b.com"),
    ],
)
def test_registered_domains(host: str, domain: str) -> None:
    """By the Public Suffix List with its private section; what has none stands for itself."""
    assert registered_domain(host) == domain


def test_columns_are_those_of_each_url_alone() -> None:
    """Hosts known from earlier in the batch, rows without a host, none at all."""
    urls = ["http://B.example/2", None, "isbn 1", "http://b.example:80/2#x", "https://a.example", ""]
    table = capture_columns(pa.chunked_array([urls[:2], urls[2:]]))
    assert table["host"].to_pylist() == ["b.example", None, None, "b.example", "a.example", None]
    assert table["domain"].to_pylist() == table["host"].to_pylist()
    keys = short_hashes(["http://b.example/2", "https://a.example/"]).tolist()
    assert table["url_key"].to_pylist() == [keys[0], None, None, keys[0], keys[1], None]
    assert capture_columns(pa.array([], pa.string())).num_rows == 0
    assert capture_columns(pa.array([None, None], pa.string())).to_pylist()[1]["url_key"] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://" + "a@" * 500_000 + "a.example/",
        "http://a.example/" + "../" * 300_000,
        "http://a.example/" + "%7e" * 300_000,
        "http://a.example/" + "(S(" * 300_000,
        "http://a.example/" + ";jsessionid=" * 100_000,
        "http://a.example/?" + "b=1&" * 200_000,
        "http://" + "é." * 500_000,
        "http://" + "@[" * 500_000,
        " " * 1_000_000 + "http://a/",
        "http://a/" + "é" * 300_000 + "\x00",
    ],
)
def test_hostile_urls_take_linear_time(url: str) -> None:
    """A megabyte of what makes patterns run back: far under a second for each, whatever it comes to."""
    begin = time.process_time()
    normalize_url(url)
    assert time.process_time() - begin < 5  # quadratic would be hours
