"""Vocabularies from strangers: what cannot be is refused in one line that names the file and the fault, before anything is allocated for it.

More of them, and changed ones, are tried by ``tests/faults/fuzz``.
"""

from __future__ import annotations

import json
import lzma
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headwater.errors import BadInputError
from headwater.tokenize.forms.load import load_vocabulary, vocabulary_from_merges, write_vocabulary
from headwater.tokenize.forms.tiktoken_ranks import write_tiktoken, write_tiktoken_settings
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

_PAIRS = np.array([[104, 105], [256, 33]], dtype=np.int32)
_SMALL = vocabulary_from_merges(name="small", pattern=r"\p{L}+|\P{L}+", alphabet=list(range(256)), pairs=_PAIRS)
_OWN = json.loads(lzma.decompress(write_vocabulary(_SMALL)))
_TOKENIZER = json.loads(write_tokenizer_json(_SMALL))


def _refused(path: Path, data: bytes) -> str:
    """Return what the refusal of a file says; it took less than a second and no more than some memory."""
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(BadInputError) as caught:
        load_vocabulary(str(path))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 1
    assert after.ru_maxrss - before.ru_maxrss < 1 << 20  # KiB
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"specials": {"<|endoftext|>": 10**12}},
            "expected ids of special tokens from 0 to 1048575, found '1000000000000'",
        ),
        ({"unmade": {"x": -1}}, "expected ids of tokens that no merge makes from 0 to 1048575, found '-1'"),
        ({"byte_ids": [True] * 256}, "expected ids of bytes from 0 to 1048575, found 'True'"),
        ({"byte_ids": list(range(300))}, "expected an id for each of 256 bytes, found 300"),
        ({"new_ids": [[256, 10**12]]}, "expected at most an id a merge in new_ids, found more"),
        ({"new_ids": [[10**12, 2]]}, "expected ids of merges from 0 to 1048575"),
        ({"merges": [104, 10**12]}, "expected merges as pairs of ids below 1048576, found others"),
        (
            {"merges": [104, 105, *(part for i in range(256, 300) for part in (i, i))], "new_ids": [[256, 45]]},
            "expected tokens of at most 65536 bytes and merges of at most 268435456 in all, found more at merge 16",
        ),
        ({"name": "../x"}, "expected a name that can be a file's, found another"),
        ({"pre_tokenizer": []}, "expected pre_tokenizer to be dict"),
    ],
)
def test_own_form(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Ids, counts, lengths and kinds of values of the compact form."""
    data = lzma.compress(json.dumps(_OWN | changes).encode(), format=lzma.FORMAT_XZ)
    assert message in _refused(tmp_path / "own.json.xz", data)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """256 MiB of blanks in 40 KB are given up at the limit, and so is a second stream behind the first."""
    compressor = lzma.LZMACompressor(format=lzma.FORMAT_XZ, preset=0)
    data = b"".join([*(compressor.compress(bytes(1 << 24)) for _ in range(16)), compressor.flush()])
    assert "more than 33,554,432 bytes when unpacked" in _refused(tmp_path / "bomb.json.xz", data)
    sound = write_vocabulary(_SMALL)
    assert "bytes after the xz stream" in _refused(tmp_path / "two.json.xz", sound + data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab": []}, "an object 'vocab', found none"),
        ({"vocab": {"a": 10**12}}, "expected tokens with ids from 0 to 1048575, found others"),
        ({"vocab": {"a": 1.5}}, "expected tokens with ids from 0 to 1048575, found others"),
        ({"merges": [["h", 1]]}, "expected two parts of merge 0, found something else"),
        ({"merges": {}}, "expected two parts of merge 0, found something else"),
    ],
)
def test_tokenizer_json(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Kinds of values and ids of a tokenizer.json's model."""
    document = _TOKENIZER | {"model": _TOKENIZER["model"] | changes}
    assert message in _refused(tmp_path / "tokenizer.json", json.dumps(document).encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "nested more than 64 deep"),
        (b"9" * 5000, "digits"),
        (b"\xff", "no UTF-8 at byte 0"),
        (b"[" + b"[]," * 3_000_000 + b"1]", "more than anything of use has"),
        (b" " * (33 << 20), "at most 33554432 bytes"),
        (b'{"model": {"type": "BPE", "vocab": NaN}}', "expected a finite number, found NaN"),
    ],
)
def test_no_json_at_all(data: bytes, message: str, tmp_path: Path) -> None:
    """Depth, digits, bytes and numbers of values."""
    assert message in _refused(tmp_path / "tokenizer.json", data)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"YWI= 1000000000000", "expected ids from 0 to 1048575"),
        (b"YWI= -1", "expected ids from 0 to 1048575"),
        (b"YWI= " + b"9" * 5000, "expected a token in base64 and its rank in line"),
        (b"YWFh" * 250_000 + b" 300", "so long in line"),
    ],
)
def test_ranks(line: bytes, message: str, tmp_path: Path) -> None:
    """Ids, digits and lengths of a rank file's tokens."""
    path = tmp_path / "ranks.tiktoken"
    path.with_name("ranks.tiktoken.json").write_text(write_tiktoken_settings(_SMALL))
    assert message in _refused(path, write_tiktoken(_SMALL) + line + b"\n")


@pytest.mark.parametrize(
    "settings", ["[]", "1", '{"pat_str": 1, "special_tokens": {}}', '{"pat_str": "x"}', "[" * 100_000]
)
def test_settings_of_ranks(settings: str, tmp_path: Path) -> None:
    """What stands beside a rank file is checked like it."""
    path = tmp_path / "ranks.tiktoken"
    path.with_name("ranks.tiktoken.json").write_text(settings)
    assert re.search("expected (`pattern`|JSON)", _refused(path, write_tiktoken(_SMALL)))
