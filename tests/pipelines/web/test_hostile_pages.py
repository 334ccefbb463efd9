"""Pages made to hurt parsers are read in time and memory by their size, or cost one record."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # pytest may be started from elsewhere

from bench.hostile_pages import KINDS

from headwater.filters.html.page import ExtractorSettings, PageInput
from headwater.pipelines.ingest.web.workers import PageReader

_EXTRACTORS = (ExtractorSettings(name="main"), ExtractorSettings(name="marked", form="markdown"))
_SUPERLINEAR = "attributes of html"
"""The one kind for which the parser takes the square of the size, in memory too: it is refused."""


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    """One reader with the memory that a page of a third of a megabyte may take at most."""
    with PageReader(memory_bytes=512 << 20, cpu_s=20) as reader:
        yield reader


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != _SUPERLINEAR])
def test_a_hostile_page_is_read(reader: PageReader, kind: str) -> None:
    """A third of a megabyte of each kind is read, within 512 MiB, by the same child as all others."""
    (answer,) = reader.read([PageInput(body=KINDS[kind](300_000))], _EXTRACTORS)
    assert not isinstance(answer, str)
    assert reader.n_started == 1


def test_what_the_parser_cannot_bear_costs_one_record(reader: PageReader) -> None:
    """A page that takes the square of its size in memory is refused; those around it are read."""
    bodies = [b"<p>one", KINDS[_SUPERLINEAR](150_000), b"<p>two"]  # last, as it costs the child that others share
    answers = reader.read([PageInput(body=body) for body in bodies], [ExtractorSettings(name="full", method="full")])
    assert [each if isinstance(each, str) else each.texts[0].text for each in answers] == [
        "one",
        "page_too_large",
        "two",
    ]
