"""Vocabularies: byte-level BPE merges, their ids, and the fingerprint under which tokens made with them are stored.

The compact form, in which the package and a lake keep vocabularies, is xz-compressed canonical JSON (0.6 MB for 156,892 ids),
read with the standard library's `lzma`: the content of `vocabulary/content.py` with `name` and `base_ids`. Of Headwater's own
vocabularies the first 256 ids are the bytes, then come the tokens in the order of their merges, then end of text, which is the
padding too, and beginning of text. A special token's text inside a document is ordinary text: no special token is ever looked
for.
"""

from __future__ import annotations

import dataclasses
import functools
import lzma
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, cast

import numpy as np

from headwater.arrays import Int32s
from headwater.errors import BadInputError, UsageError, one_line
from headwater.tokenize.encode.encoder import encodes_to_itself
from headwater.tokenize.forms.ready import read_ready
from headwater.tokenize.forms.tiktoken_ranks import read_tiktoken
from headwater.tokenize.names import DEFAULT_VOCABULARY
from headwater.tokenize.vocabulary.content import (
    FORMAT,
    MOST_IDS,
    Vocabulary,
    VocabularyContent,
    assemble,
    compact_json,
    content_of,
    has_own_specials,
    split_pre_tokenizer,
    vocabulary_stem,
)
from headwater.tokenize.vocabulary.tokenizer_json import read_tokenizer_json
from headwater.untrusted import parse_json, read_bounded, unpack_xz

__all__ = [
    "MOST_BYTES",
    "Vocabulary",
    "extend_vocabulary",
    "load_vocabulary",
    "read_vocabulary",
    "shipped_vocabularies",
    "vocabulary_from_merges",
    "vocabulary_of_file",
    "write_vocabulary",
]

_XZ_MAGIC: Final = b"\xfd7zXZ\x00"
MOST_BYTES: Final = 1 << 25
"""Most bytes of a vocabulary's file, unpacked too; the largest that are known have 28 MB."""
_SHOWN: Final = 200
_MOST_BESIDE: Final = 1 << 20
_STORED_NAME: Final = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
"""A name that exports can give to files; ``write_vocabulary`` stores no other."""


class _Stored(VocabularyContent):
    """The compact form."""

    name: str
    base_ids: int


@functools.lru_cache(maxsize=8)
def load_vocabulary(name: str = DEFAULT_VOCABULARY) -> Vocabulary:
    """Return a shipped vocabulary by name, or that of a file by path; the same object every time.

    A file is Headwater's compact form (`.json.xz`), a `tokenizer.json`, or a rank file of tiktoken's (`.tiktoken`, with
    `NAME.tiktoken.json` beside it unless it is a known one).

    Raises:
        UsageError: neither a shipped vocabulary nor a file.
        BadInputError: the file is no byte-level BPE, or cannot give text back, or its ids do not follow from its merges.
    """
    folder = resources.files("headwater.tokenize") / "data"
    shipped, ready = folder / f"{name}.json.xz", folder / f"{name}.npz"
    if "/" not in name and _is_file(shipped):
        data = shipped.read_bytes()
        found = read_ready(name, ready.read_bytes(), data) if _is_file(ready) else None
        return found or read_vocabulary(name, data)
    path = Path(name)
    if not _is_file(path):
        raise UsageError(
            f"vocabulary {one_line(repr(name), _SHOWN)}: expected headwater-156k or the path of a tokenizer.json, .tiktoken or .json.xz, "
            "found neither"
        )
    data = _read(name, path, MOST_BYTES)
    beside = path.with_name(path.name + ".json")
    return vocabulary_of_file(
        name,
        data,
        _read(str(beside), beside, _MOST_BESIDE) if path.suffix == ".tiktoken" and beside.is_file() else None,
    )


def vocabulary_of_file(name: str, data: bytes, beside: bytes | None) -> Vocabulary:
    """Return the vocabulary of a file's bytes.

    Args:
        name: of the file.
        data: its content.
        beside: content of ``NAME.json``, where a rank file has one.

    Raises:
        BadInputError: as of ``load_vocabulary``.
    """
    if data.startswith(_XZ_MAGIC):
        return read_vocabulary(name, data)
    if name.endswith(".tiktoken"):
        return read_tiktoken(name, data, None if beside is None else _parse(f"{name}.json", beside))
    return read_tokenizer_json(name, data)


def _is_file(path: Path | Traversable) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a name too long for any file, a folder that may not be searched


def _read(name: str, path: Path, most: int) -> bytes:
    try:
        return read_bounded(path, most)
    except ValueError as error:
        raise BadInputError(f"vocabulary {name}: expected a file of at most {most} bytes, found {error}") from None


def _parse(name: str, data: bytes) -> object:
    try:
        return parse_json(data)
    except ValueError as error:
        raise BadInputError(one_line(f"vocabulary {name}: expected JSON, found something else: {error}")) from None


def shipped_vocabularies() -> list[str]:
    """Return the names of the vocabularies that come with the package."""
    data = resources.files("headwater.tokenize") / "data"
    names = [file.name for file in data.iterdir() if file.name.endswith(".json.xz")]
    return sorted(name.removesuffix(".json.xz") for name in names if name.startswith("headwater-"))


def vocabulary_from_merges(
    *,
    name: str,
    pattern: str,
    alphabet: Sequence[int],
    pairs: Int32s,
    base_ids: int | None = None,
) -> Vocabulary:
    """Return the vocabulary of these merges, with Headwater's special tokens above its ids.

    Args:
        name: for messages and files.
        pattern: the pre-tokenizer in Oniguruma's syntax.
        alphabet: the 256 byte values in the order of their ids, 0 to 255.
        pairs: int32 [n, 2]: the parts of each merge; merge i makes id 256 + i.
        base_ids: ids below it are those of the vocabulary that was extended; None where none was.

    Raises:
        BadInputError: a part that is no token yet, or a merge whose string is a token already.
    """
    byte_ids = [0] * 256
    for i, byte in enumerate(alphabet):
        byte_ids[byte] = i
    return assemble(
        name=name,
        pre_tokenizer=split_pre_tokenizer(pattern),
        byte_ids=byte_ids,
        pairs=np.asarray(pairs, dtype=np.int32).reshape(-1, 2),
        new_ids=range(256, 256 + len(pairs)),
        base_ids=base_ids,
    )


def extend_vocabulary(base: Vocabulary, pairs: Int32s, *, name: str) -> Vocabulary:
    """Return the base with more merges, all of lower priority than its own; its ids stay what they are.

    The new ids are `base.next_id` and those that follow. Headwater's own special tokens move above them; an imported base
    keeps all its ids.

    Args:
        base: any vocabulary.
        pairs: int32 [n, 2]: the parts of each merge; merge i makes id `base.next_id + i`.
        name: of the result.

    Raises:
        BadInputError: a part that is no token yet, a merge whose string is a token already, or a token that its own bytes
            do not merge to.
    """
    content = content_of(base)
    pairs = np.asarray(pairs, dtype=np.int32).reshape(-1, 2)
    specials = None if has_own_specials(base.specials, base.n_ids) else base.specials
    made = assemble(
        name=name,
        pre_tokenizer=content["pre_tokenizer"],
        byte_ids=content["byte_ids"],
        pairs=np.concatenate([base.merges[:, :2], pairs]),
        new_ids=[*_expand(content["new_ids"]), *range(base.next_id, base.next_id + len(pairs))],
        unmade=base.unmade,
        ignore_merges=base.ignore_merges,
        specials=specials,
        base_ids=base.next_id,
    )
    lost = np.flatnonzero(~encodes_to_itself(made)[base.next_id : base.next_id + len(pairs)])
    if len(lost):
        raise BadInputError(
            f"vocabulary {name}: expected new tokens that their own bytes merge to, found {len(lost)} that they do not, the "
            f"first of them id {base.next_id + int(lost[0])}: take pairs that stand side by side in text that the base has "
            "encoded, and merge each everywhere before choosing the next"
        )
    return made


def write_vocabulary(vocabulary: Vocabulary) -> bytes:
    """Return the compact form, which `load_vocabulary` reads back with the same fingerprint; the same bytes every time."""
    content = {**content_of(vocabulary), "name": vocabulary_stem(vocabulary), "base_ids": vocabulary.base_ids}
    return lzma.compress(compact_json(content), format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)


def read_vocabulary(name: str, data: bytes) -> Vocabulary:
    """Return the vocabulary of its compact form.

    Args:
        name: for messages.

    Raises:
        BadInputError: damaged, of another format, or with ids that do not follow from its merges.
    """
    try:
        found = parse_json(unpack_xz(data, MOST_BYTES))
    except ValueError as error:
        raise BadInputError(
            one_line(f"vocabulary {name}: expected xz-compressed JSON, found damage: {error}")
        ) from None
    content = _checked(name, found)
    made = assemble(
        name=name,
        pre_tokenizer=content["pre_tokenizer"],
        byte_ids=content["byte_ids"],
        pairs=np.array(content["merges"], dtype=np.int32).reshape(-1, 2),
        new_ids=_expand(content["new_ids"]),
        unmade=content["unmade"],
        ignore_merges=content["ignore_merges"],
        specials=content["specials"],
        base_ids=content["base_ids"],
    )
    stored = {key: value for key, value in content.items() if key not in {"name", "base_ids"}}
    if stored != content_of(made):
        raise BadInputError(f"vocabulary {name}: expected ids that follow from its merges, found others")
    return dataclasses.replace(made, name=content["name"])


def _checked(name: str, found: object) -> _Stored:
    """Return the content of the compact form, or raise BadInputError: the kinds of its values, and no more ids than merges can make."""
    version = found.get("format") if isinstance(found, dict) else None
    if not isinstance(found, dict) or version != FORMAT:
        raise BadInputError(one_line(f"vocabulary {name}: expected format {FORMAT}, found {str(version)[:40]}"))
    for key, kind in _KINDS.items():
        if type(found.get(key)) not in kind:
            raise BadInputError(
                f"vocabulary {name}: expected {key} to be {kind[0].__name__}, found another kind of value or none"
            )
    merges, runs = found["merges"], found["new_ids"]
    if len(merges) % 2 or not all(type(i) is int and 0 <= i < MOST_IDS for i in merges):
        raise BadInputError(f"vocabulary {name}: expected merges as pairs of ids below {MOST_IDS}, found others")
    if not all(type(run) is list and len(run) == 2 and all(type(i) is int and i >= 0 for i in run) for run in runs):
        raise BadInputError(f"vocabulary {name}: expected new_ids as pairs of a first id and a number, found others")
    if sum(count for _, count in runs) > len(merges) // 2:
        raise BadInputError(f"vocabulary {name}: expected at most an id a merge in new_ids, found more")
    if not _STORED_NAME.fullmatch(found["name"]):
        raise BadInputError(f"vocabulary {name}: expected a name that can be a file's, found another")
    if not 0 <= found["base_ids"] <= MOST_IDS:
        raise BadInputError(f"vocabulary {name}: expected base_ids from 0 to {MOST_IDS}, found another number")
    return cast("_Stored", found)


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "name": (str,),
    "pre_tokenizer": (dict,),
    "byte_ids": (list,),
    "merges": (list,),
    "new_ids": (list,),
    "unmade": (dict,),
    "ignore_merges": (bool,),
    "specials": (dict,),
    "base_ids": (int,),
}
"""Key of the compact form to the types that its value may have."""


def _expand(runs: Sequence[Sequence[int]]) -> list[int]:
    return [i for first, count in runs for i in range(first, first + count)]
