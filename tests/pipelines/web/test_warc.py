from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from warcs import PACKERS, html, response, small_crawl, warc_record, warcinfo

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import detect_compression
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import Broken, WarcRecord, warc_records


def _read(path: Path, data: bytes, limits: Limits | None = None) -> list[WarcRecord | Broken]:
    limits = limits or Limits()
    path.write_bytes(data)
    with Stored(str(path)) as stored:
        members = Members(stored, str(path), detect_compression(data), limits)
        return list(warc_records(members, 0, limits))


def _whole(found: Sequence[WarcRecord | Broken]) -> list[bytes]:
    return [each.block or b"" for each in found if isinstance(each, WarcRecord)]


def _broken(found: Sequence[WarcRecord | Broken]) -> list[tuple[int, str]]:
    return [(each.number, each.reason) for each in found if isinstance(each, Broken)]


def _block(record: bytes) -> bytes:
    return record.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n")


@pytest.mark.parametrize("name", PACKERS)
def test_every_form_gives_the_same_records(name: str, tmp_path: Path) -> None:
    """However an archive is packed, its records are the same, numbered alike, and their places unpacked too."""
    records = small_crawl()
    found = _read(tmp_path / name, PACKERS[name](records))
    assert _whole(found) == [_block(record) for record in records]
    assert [each.number for each in found] == list(range(len(records)))
    places = [sum(map(len, records[:number])) for number in range(len(records))]
    assert [each.place for each in found if isinstance(each, WarcRecord)] == places


@pytest.mark.parametrize("name", PACKERS)
def test_offsets_lead_to_the_record(name: str, tmp_path: Path) -> None:
    """A record that begins a member is found again from the member's offset as stored."""
    path = tmp_path / name
    data = PACKERS[name](small_crawl())
    limits = Limits()
    for record in _read(path, data):
        assert isinstance(record, WarcRecord)
        if record.stored is None:
            assert "whole" in name or "blocks" in name
            continue
        with Stored(str(path), record.stored) as stored:
            members = Members(stored, str(path), detect_compression(data), limits)
            again = next(warc_records(members, record.stored, limits))
        assert isinstance(again, WarcRecord)
        assert again.block == record.block


@pytest.mark.parametrize("name", PACKERS)
def test_cut_at_any_byte(name: str, tmp_path: Path) -> None:
    """Every whole record before a cut is read, and nothing else; unless the cut lies between records, it is named once."""
    records = small_crawl(1)
    data = PACKERS[name](records)
    blocks = [_block(record) for record in records]
    separate = "whole" not in name and "blocks" not in name
    begins = [each.stored for each in _read(tmp_path / name, data) if isinstance(each, WarcRecord)]
    ends = [*begins[1:], len(data)]
    cuts = range(1, len(data), 2 if name == "records.warc.gz" else 7)
    for cut in cuts:
        found = _read(tmp_path / name, data[:cut])
        whole, broken = _whole(found), _broken(found)
        assert whole == blocks[: len(whole)]
        assert len(broken) <= 1
        if separate:
            complete = sum(end is not None and end <= cut for end in ends)
            # The line ends after the last record, and the checksum after its last byte, are no part of it.
            assert len(whole) in {complete, complete + 1}
            if len(whole) == complete and cut not in {begins[0], *ends}:
                assert broken
                assert broken[0][1] in {"truncated_record", "truncated_compression", "not_a_record"}
        elif cut < len(data) - 12:
            assert broken


@pytest.mark.parametrize("name", ["records.warc.gz", "records.warc.zst"])
def test_damage_costs_the_member(name: str, tmp_path: Path) -> None:
    """A flipped bit costs the record whose member it is in, one row of quarantine, and no other record."""
    records = small_crawl(3)
    blocks = [_block(record) for record in records]
    data = PACKERS[name](records)
    draw = random.Random(5)
    for _ in range(150):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        found = _read(tmp_path / name, bytes(changed))
        whole, broken = _whole(found), _broken(found)
        lost = [block for block in blocks if block not in whole]
        strange = [block for block in whole if block not in blocks]
        assert len(lost) <= 2
        assert bool(lost) <= bool(broken) or strange
        if name == "records.warc.gz":
            assert not strange
            assert len(lost) <= 1


@pytest.mark.parametrize("name", ["warc", "records.warc.gz", "whole.warc.gz", "records.warc.zst", "whole.warc.zst"])
@pytest.mark.parametrize("length", [0, 5, 10_000, 10**9, 10**17], ids=str)
def test_wrong_lengths(name: str, length: int, tmp_path: Path) -> None:
    """A record whose length is wrong is refused by its number, and the records around it are read."""
    page = html("<p>one</p>")
    records = [
        warcinfo(),
        response("https://a.example/", page),
        response("https://b.example/", page, length=length),
        *(response(f"https://c.example/{number}", page + b"x" * number) for number in range(3)),
    ]
    found = _read(tmp_path / name, PACKERS[name](records))
    assert _whole(found) == [_block(record) for number, record in enumerate(records) if number != 2]
    assert _broken(found) == [(2, "wrong_record_length")]


def test_many_wrong_lengths_take_linear_time(tmp_path: Path) -> None:
    """An archive that claims too much again and again is read a bounded number of times; then the file ends, with a reason."""
    records = [response(f"https://a.example/{n}", html("<p>x</p>" * 4000), length=10**12) for n in range(400)]
    found = _read(tmp_path / "a.warc", b"".join(records))
    assert _broken(found)[-1] == (-1, "wrong_record_length")
    assert len(found) <= 10


@pytest.mark.parametrize("name", ["warc", "records.warc.gz", "records.warc.zst"])
@pytest.mark.parametrize(
    "garbage", [b"garbage", b"\0" * 100, b"\x1f\x8b\x08" * 50, b"\x28\xb5\x2f\xfd" * 50, b"WARC/1.0\r\n"]
)
def test_garbage_between_records(name: str, garbage: bytes, tmp_path: Path) -> None:
    """What lies between records costs a row, and no record that an empty line or a member of its own begins."""
    records = small_crawl(2)
    data = PACKERS[name](records[:2]) + garbage + b"\r\n\r\n" + PACKERS[name](records[2:])
    found = _read(tmp_path / name, data)
    assert _whole(found) == [_block(record) for record in records]
    assert len(_broken(found)) == 1


@pytest.mark.parametrize(
    "record",
    [
        warc_record("response", b"abc", line_end=b"\n", end=b"\n\n"),
        warc_record("response", b"abc", end=b""),
        warc_record("response", b"abc", end=b"\r\n"),
        warc_record("response", b"abc", version="WARC/1.1"),
        warc_record("response", b"abc", version="WARC/0.18"),
        warc_record("response", b"abc", fields={"Folded": "a\r\n b"}),
        warc_record("response", b"abc", fields={"Name\u00e9": "\u00e9\0"}),
    ],
    ids=["line feeds", "no end", "short end", "1.1", "0.18", "folded", "strange names"],
)
def test_lenient_where_nothing_is_lost(record: bytes, tmp_path: Path) -> None:
    """Line feeds alone, missing ends, older versions, folded and strange fields are read."""
    data = record + warcinfo()
    found = _read(tmp_path / "a.warc", data)
    assert _whole(found) == [b"abc", b"software: a test\r\n"]


@pytest.mark.parametrize(
    "record",
    [
        warc_record("response", b"abc", fields={"Content-Length": ""}),
        warc_record("response", b"abc", fields={"Content-Length": "3\r\nContent-Length: 4"}),
        warc_record("response", b"abc", fields={"Content-Length": "-3"}),
        warc_record("response", b"abc", fields={"Content-Length": "٣"}),
        warc_record("response", b"abc", version="WARC/9.9"),
        warc_record("response", b"abc", fields={"no colon\r\nA": "b"}),
        warc_record("response", b"abc", line_end=b"\r"),
    ],
    ids=["no length", "two lengths", "negative", "other digits", "unknown version", "no field", "carriage returns"],
)
def test_bad_headers(record: bytes, tmp_path: Path) -> None:
    """A record whose fields cannot be read is one row, and the next record is read."""
    found = _read(tmp_path / "a.warc", warcinfo() + record + warcinfo())
    assert _whole(found) == [b"software: a test\r\n"] * 2
    assert [number for number, _ in _broken(found)] == [1]
    assert _broken(found)[0][1] in {"bad_record_header", "not_a_record"}


@pytest.mark.parametrize("name", ["records.warc.gz", "records.warc.zst"])
def test_bombs_cost_a_record(name: str, tmp_path: Path) -> None:
    """A member that unpacks to far more than was stored is refused, and the records after it are read."""
    bomb = response("https://a.example/", b"<html>" + bytes(30 << 20))
    records = [warcinfo(), bomb, response("https://b.example/", html("<p>b</p>"))]
    found = _read(tmp_path / name, PACKERS[name](records))
    assert len(_whole(found)) == 2
    assert _broken(found) == [(1, "expansion_ratio")]


def test_long_records_are_not_held(tmp_path: Path) -> None:
    """A record that is longer than may be read gives its fields and its beginning."""
    long = response("https://a.example/", random.Random(1).randbytes(3 << 20), mime="video/mp4")
    data = b"".join(gzip.compress(each) for each in (long, warcinfo()))
    found = _read(tmp_path / "a.warc.gz", data, Limits(max_record_bytes=1 << 20))
    assert isinstance(found[0], WarcRecord)
    assert found[0].block is None
    assert found[0].head == _block(long)[: 64 << 10]
    assert _whole(found)[1] == b"software: a test\r\n"


def test_records_inside_a_page_are_no_records(tmp_path: Path) -> None:
    """A page that holds a web archive is one record, whatever that archive says."""
    inner = b"\r\n\r\n" + b"".join(small_crawl(2))
    for name in ("warc", "records.warc.gz"):
        records = [response("https://a.example/", inner), warcinfo()]
        found = _read(tmp_path / name, PACKERS[name](records))
        assert len(_whole(found)) == 2
