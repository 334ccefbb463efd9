from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from headwater.errors import BadInputError, UsageError
from headwater.pipelines.ingest.decompress import BLOCK_BYTES, Limits, unpacked_blocks


def _zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": _zstd,
}
DATA = b"".join(b"line %d of some text\n" % number for number in range(60_000))
every_codec = pytest.mark.parametrize("codec", sorted(PACK))


def _unpack(path: Path, codec: str, limits: Limits | None = None) -> tuple[bytes, str | None]:
    """Return what came out, and the reason of the fault if there was one."""
    out = []
    try:
        for block in unpacked_blocks(str(path), codec, limits or Limits()):
            assert 0 < len(block) <= BLOCK_BYTES
            out.append(block)
    except BadInputError as error:
        return b"".join(out), error.reason
    return b"".join(out), None


@every_codec
def test_round_trip(tmp_path: Path, codec: str) -> None:
    """Unpacked bytes are those that were packed, in blocks of at most 1 MiB."""
    path = tmp_path / "data"
    path.write_bytes(PACK[codec](DATA))
    assert _unpack(path, codec) == (DATA, None)


def test_plain_bytes_pass_through(tmp_path: Path) -> None:
    """Without compression the stored bytes come out."""
    path = tmp_path / "data"
    path.write_bytes(DATA * 4)
    assert _unpack(path, "") == (DATA * 4, None)


@every_codec
def test_concatenated_members_are_one_stream(tmp_path: Path, codec: str) -> None:
    """Members one after another unpack to their concatenation, as with the command-line tools."""
    path = tmp_path / "data"
    path.write_bytes(PACK[codec](b"one\n") + PACK[codec](b"") + PACK[codec](DATA))
    assert _unpack(path, codec) == (b"one\n" + DATA, None)


def test_xz_padding_between_streams(tmp_path: Path) -> None:
    """Zero bytes between and after xz streams are padding."""
    path = tmp_path / "data"
    path.write_bytes(lzma.compress(b"one\n") + bytes(8) + lzma.compress(b"two\n") + bytes(4))
    assert _unpack(path, "xz") == (b"one\ntwo\n", None)


@every_codec
@pytest.mark.parametrize("missing", [1, 9, 0.5])
def test_truncated_file_gives_all_that_was_there(tmp_path: Path, codec: str, missing: float) -> None:
    """Everything that the first part of a packed file unpacks to comes out before the fault."""
    packed = PACK[codec](DATA)
    kept = packed[: -int(missing)] if missing >= 1 else packed[: len(packed) // 2]
    path = tmp_path / "data"
    path.write_bytes(kept)
    out, reason = _unpack(path, codec)
    assert reason == "truncated_compression"
    assert DATA.startswith(out)
    if codec == "gz":
        # The decoder of the standard library says how much is there.
        assert out == zlib.decompressobj(31).decompress(kept)


@every_codec
def test_empty_file_is_truncated(tmp_path: Path, codec: str) -> None:
    """Nothing at all is no member of any format."""
    path = tmp_path / "data"
    path.write_bytes(b"")
    assert _unpack(path, codec) == (b"", "truncated_compression")


@pytest.mark.parametrize("codec", ["bz2", "gz", "xz"])
def test_wrong_checksum_is_corrupt(tmp_path: Path, codec: str) -> None:
    """A flipped bit is found by the format's own checksum."""
    packed = bytearray(PACK[codec](DATA))
    packed[len(packed) // 2] ^= 1
    path = tmp_path / "data"
    path.write_bytes(packed)
    assert _unpack(path, codec)[1] == "corrupt_compression"


@every_codec
def test_bytes_after_the_last_member_are_corrupt(tmp_path: Path, codec: str) -> None:
    """Trailing garbage is reported."""
    path = tmp_path / "data"
    path.write_bytes(PACK[codec](b"text\n") + b"garbage longer than a header")
    assert _unpack(path, codec)[1] == "corrupt_compression"


@pytest.mark.parametrize("codec", ["bz2", "gz", "xz", "zst"])
def test_expansion_stops_at_the_ratio(tmp_path: Path, codec: str) -> None:
    """16 MiB of one letter are stopped long before they are out; the same bytes pass under a higher ratio."""
    packed = PACK[codec](b"a" * (16 << 20))
    path = tmp_path / "data"
    path.write_bytes(packed)
    out, reason = _unpack(path, codec)
    assert reason == "expansion_ratio"
    assert len(out) <= max(200 * len(packed), 1 << 20)
    out, reason = _unpack(path, codec, Limits(max_expansion_ratio=10**6))
    assert (len(out), reason) == (16 << 20, None)


def test_small_files_may_expand_freely(tmp_path: Path) -> None:
    """Up to 1 MiB nothing is measured: short repetitive files are harmless."""
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(b"a" * (1 << 20)))
    assert _unpack(path, "gz", Limits(max_expansion_ratio=1))[1] is None


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """A file that is gone is the store's fault, not the input's."""
    with pytest.raises(FileNotFoundError):
        next(unpacked_blocks(str(tmp_path / "gone"), "gz", Limits()))


@pytest.mark.parametrize(
    "wrong", [{"max_record_bytes": 0}, {"batch_bytes": 2 << 30}, {"max_nesting": 251}, {"split_bytes": -1}]
)
def test_limits_are_checked_where_they_are_made(wrong: dict[str, int]) -> None:
    """A limit out of range names itself."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Limits(**wrong)
