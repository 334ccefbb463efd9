"""A page that kills, stops or fools its parser costs that page."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.errors import HeadwaterError
from headwater.filters.html.page import ExtractorSettings, PageInput, PageOutput
from headwater.pipelines.ingest.web.workers import PageReader

EXTRACTORS = [ExtractorSettings(name="all", method="full")]


class _HostileReader(PageReader):
    _module = "hostile_child"


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    """A reader whose pages are commands."""
    with _HostileReader(memory_bytes=256 << 20, cpu_s=0.5, max_bytes=1 << 20) as reader:
        yield reader


def read(reader: PageReader, *bodies: bytes) -> list[str]:
    """Return texts or reasons."""
    answers = reader.read([PageInput(body=body) for body in bodies], EXTRACTORS)
    return [answer if isinstance(answer, str) else answer.texts[0].text for answer in answers]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"!segfault", "parser_failed"),
        (b"!abort", "parser_failed"),
        (b"!loop", "page_too_slow"),
        (b"!memory", "page_too_large"),
        (b"!raise me", "parser_failed"),
        (b"!surrogate", "parser_failed"),
        (b"!garbage 3", "parser_failed"),
        (b"x" * ((1 << 20) + 1), "page_too_large"),
    ],
    ids=lambda value: value[:12].decode() if isinstance(value, bytes) else None,
)
def test_one_page_costs_one_page(reader: PageReader, body: bytes, reason: str) -> None:
    """Whatever a page does to the parser, the pages before and after it are read, and its reason is told."""
    assert read(reader, b"<p>one", body, b"<p>two", b"<p>three") == ["one", reason, "two", "three"]


def test_several_bad_pages_in_a_batch(reader: PageReader) -> None:
    """Each has a reason of its own, and none costs more than two children."""
    before = reader.n_started
    assert read(reader, b"!abort", b"!segfault", b"<p>x", b"!abort") == ["parser_failed"] * 2 + ["x", "parser_failed"]
    assert reader.n_started - before <= 7


def test_what_earlier_pages_left_behind_is_not_a_pages_fault(reader: PageReader, tmp_path: Path) -> None:
    """A page at which the child dies, but not a fresh one, is read; so is one for which others left too little memory."""
    assert read(reader, b"<p>a", b"!once " + os.fsencode(tmp_path / "mark"), b"<p>b")[0::2] == ["a", "b"]
    assert (tmp_path / "mark").exists()
    hoard = b"!hoard %d" % (150 << 20)
    assert "page_too_large" not in read(reader, hoard, hoard, hoard)
    assert read(reader, b"!hoard %d" % (300 << 20)) == ["page_too_large"]


def test_libraries_may_print(reader: PageReader, capfd: pytest.CaptureFixture[str]) -> None:
    """What a library writes to the streams is neither an answer nor in the log."""
    read(reader, b"!print")
    assert capfd.readouterr() == ("", "")


def test_fields_arrive() -> None:
    """A page's headers, charset and address reach the child, and all that it found comes back."""
    page = PageInput(
        body=b"caf\xe9", http_charset="latin1", headers={"content-type": "text/plain"}, url="https://a.example/"
    )
    with _HostileReader() as reader:  # the usual limits: kernels may have to be compiled for this page
        (answer,) = reader.read([page], EXTRACTORS)
    assert isinstance(answer, PageOutput)
    assert (answer.charset_declared, answer.charset, answer.charset_source) == ("latin1", "windows-1252", "http")
    assert answer.texts[0].text == "café"


def test_nothing_is_started_for_nothing() -> None:
    """Without pages, or with none that is small enough, there is no child."""
    with PageReader(max_bytes=10) as reader:
        assert reader.read([], EXTRACTORS) == []
        assert reader.read([PageInput(body=b"x" * 11)], EXTRACTORS) == ["page_too_large"]
        assert reader.n_started == 0


def test_a_child_that_does_not_start_is_no_pages_fault() -> None:
    """Where the child cannot run at all, the caller is told, once."""

    class Broken(PageReader):
        _module = "headwater.no_such_module"

    with (
        Broken() as reader,
        pytest.raises(HeadwaterError, match=r"expected the process that reads pages to start.*no_such_module"),
    ):
        reader.read([PageInput(body=b"x")], EXTRACTORS)


def test_no_child_outlives_its_reader(tmp_path: Path) -> None:
    """A parent that is killed takes the child with it, also one that is in the middle of a page that does not end."""
    mark = tmp_path / "child"
    program = (
        "import sys; from test_workers import _HostileReader, EXTRACTORS, PageInput\n"
        "with _HostileReader(cpu_s=50) as reader: reader.read([PageInput(body=b'!orphan ' + sys.argv[1].encode())], EXTRACTORS)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    parent = subprocess.Popen([sys.executable, "-c", program, str(mark)], env=os.environ | {"PYTHONPATH": path})
    until = time.monotonic() + 60
    while not (mark.exists() and mark.read_text("ascii")) and time.monotonic() < until:
        time.sleep(0.05)
    child = int(mark.read_text("ascii"))
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/status")
    return not (status.exists() and "State:\tZ" in status.read_text("ascii"))
