"""A vocabulary in memory, its content as compact JSON, and the fingerprint of that.

The content decides ids and nothing else does:

    {"format": 2, "pre_tokenizer": {…}, "byte_ids": [id of byte 0, …], "merges": [left id, right id, left id, right id, …],
     "new_ids": [[first id, how many], …], "unmade": {…}, "ignore_merges": false, "specials": {"<|endoftext|>": 156892, …},
     "end_of_text": 156892, "beginning_of_text": 156893, "padding": 156892, "model_size": 157184}

Each merge makes the concatenation of two tokens; one that is not a token yet gets the next of the new ids.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

import numpy as np

from headwater.arrays import Int32s, Int64s, UInt8s
from headwater.errors import BadInputError, one_line

__all__ = [
    "BEGINNING_OF_TEXT",
    "END_OF_TEXT",
    "FORMAT",
    "MODEL_SIZE_MULTIPLE",
    "MOST_IDS",
    "ROOM_FOR_SPECIALS",
    "Vocabulary",
    "VocabularyContent",
    "assemble",
    "byte_letters",
    "compact_json",
    "content_of",
    "has_own_specials",
    "split_pre_tokenizer",
    "token_strings",
    "vocabulary_stem",
]

FORMAT: Final = 2
MOST_IDS: Final = 1 << 20
"""Ids are below it, those of special tokens too: what the tables of the encoder hold. An id costs eight bytes whether it is used or not."""
_MOST_TOKEN_BYTES: Final = 1 << 16
_MOST_MADE_BYTES: Final = 1 << 28
"""Most bytes that all merges may put together: each may join tokens that were joined before, so that lengths double."""
MODEL_SIZE_MULTIPLE: Final = 128  # rows of an embedding that tensor cores and tensor-parallel ranks divide well
ROOM_FOR_SPECIALS: Final = (
    256  # rows that Headwater's own vocabularies keep for special tokens, those of later training too
)
END_OF_TEXT: Final = "<|endoftext|>"
BEGINNING_OF_TEXT: Final = "<|startoftext|>"
_ENDS: Final = (END_OF_TEXT, "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>")
_BEGINNINGS: Final = (BEGINNING_OF_TEXT, "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<s>", "<bos>")


class VocabularyContent(TypedDict):
    """What decides ids, as the module's docstring draws it."""

    format: int
    pre_tokenizer: Mapping[str, object]
    byte_ids: list[int]
    merges: list[int]
    new_ids: list[list[int]]
    unmade: dict[str, int]
    ignore_merges: bool
    specials: dict[str, int]
    end_of_text: int
    beginning_of_text: int | None
    padding: int
    model_size: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Vocabulary:
    """A byte-level BPE vocabulary.

    Attributes:
        name: name or file name it was loaded by; not part of its identity.
        fingerprint: 32 hexadecimal digits, BLAKE2b-128 of the compact JSON of everything that decides ids.
        n_ids: ordinary ids are below it; an imported vocabulary has special ids and gaps among them.
        base_ids: ids below it are those of the vocabulary that was extended; where none was, it equals `next_id`.
        next_id: the id that the first merge of an extension makes.
        end_of_text: id put after a document.
        beginning_of_text: id put before a document where a stage wants one; None if an imported vocabulary has none.
        padding: id that fills a sequence.
        model_size: rows that a model's embedding needs, a multiple of 128; Headwater's own have room for 256 specials.
        specials: id of each special token by its text, which inside a document is ordinary text.
        pattern: the pre-tokenizer as one expression in Oniguruma's syntax; empty if it is none, see `pre_tokenizer`.
        pre_tokenizer: JSON as in a `tokenizer.json`.
        ignore_merges: whether a piece that is a token is not merged but looked up whole.
        unmade: id by spelling (as in a `tokenizer.json`) of the tokens that no merge makes.
        merges: int32 [n_merges, 3]: left id, right id, id made; in order of priority.
        token_bytes: uint8, the bytes of all tokens one after the other.
        token_offsets: int64 [model_size + 1] into `token_bytes`; special and unused ids are empty.
        byte_ids: int32 [256], the id of each byte.
    """

    name: str
    fingerprint: str
    n_ids: int
    base_ids: int
    next_id: int
    end_of_text: int
    beginning_of_text: int | None
    padding: int
    model_size: int
    specials: Mapping[str, int] = field(repr=False)
    pattern: str = field(repr=False)
    pre_tokenizer: str = field(repr=False)
    ignore_merges: bool
    unmade: Mapping[str, int] = field(repr=False)
    merges: Int32s = field(repr=False)
    token_bytes: UInt8s = field(repr=False)
    token_offsets: Int64s = field(repr=False)
    byte_ids: Int32s = field(repr=False)


@functools.cache
def byte_letters() -> tuple[str, ...]:
    """Return the printable letter that stands for each of the 256 bytes in a `tokenizer.json` (GPT-2's table).

    Bytes that are printable in Latin-1 stand for themselves; the others, in order, for U+0100 onwards.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return tuple(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))


def split_pre_tokenizer(pattern: str, *, trim_offsets: object = True) -> Mapping[str, object]:
    """Return the pre-tokenizer, as in a `tokenizer.json`, that cuts text where a pattern matches and maps bytes to letters.

    Args:
        pattern: in Oniguruma's syntax.
        trim_offsets: decides offsets, which nothing here reads, and no ids.
    """
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": trim_offsets, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [split, byte_level]}


def compact_json(content: Mapping[str, object]) -> bytes:
    """Return JSON with sorted keys and without blanks, in UTF-8: what vocabularies are stored as and known by.

    It is older than `headwater.fingerprint.canonical_json`, which also refuses what has no canonical form, and stays apart from it
    so that fingerprints of vocabularies never change.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def token_strings(vocabulary: Vocabulary) -> list[bytes]:
    """Return the bytes of each id below the model size; special and unused ids have none."""
    data, bounds = vocabulary.token_bytes.tobytes(), vocabulary.token_offsets.tolist()
    return [data[begin:end] for begin, end in itertools.pairwise(bounds)]


def vocabulary_stem(vocabulary: Vocabulary) -> str:
    """Return the name without folders and endings, as files are named by it.

    Example:
        >>> from headwater.tokenize.forms.load import load_vocabulary
        >>> vocabulary_stem(load_vocabulary("headwater-156k"))
        'headwater-156k'
    """
    name = vocabulary.name.rpartition("/")[2]
    for ending in (".xz", ".json", ".tiktoken"):
        name = name.removesuffix(ending)
    return name


def has_own_specials(specials: Mapping[str, int], n_ids: int) -> bool:
    """Return whether the specials are Headwater's two, right above the ordinary ids; an extension moves them up."""
    return dict(specials) == {END_OF_TEXT: n_ids, BEGINNING_OF_TEXT: n_ids + 1}


def assemble(
    *,
    name: str,
    pre_tokenizer: Mapping[str, object],
    byte_ids: Sequence[int],
    pairs: Int32s,
    new_ids: Sequence[int],
    unmade: Mapping[str, int] | None = None,
    ignore_merges: bool = False,
    specials: Mapping[str, int] | None = None,
    base_ids: int | None = None,
) -> Vocabulary:
    """Return the vocabulary that this content describes.

    Args:
        name: for messages.
        pre_tokenizer: as in a `tokenizer.json`.
        byte_ids: the id of each of 256 bytes.
        pairs: int32 [n, 2], ids of the parts of each merge.
        new_ids: an id for each merge whose string is not a token yet, in order; exactly as many as there are.
        unmade: spelling and id of tokens that no merge makes.
        ignore_merges: whether a piece that is a token is looked up whole.
        specials: text and id; if none of them ends a text, `<|endoftext|>` is added above all other ids, and
            `<|startoftext|>` above that where there are none at all.
        base_ids: None for a vocabulary that extends none.

    Raises:
        BadInputError: a part that is no token yet, an id given twice or out of range, a token that is absurdly long, or more or fewer
            new strings than ids.
    """
    unmade = dict(unmade or {})
    _check_ids(name, "bytes", byte_ids)
    _check_ids(name, "merges", new_ids)
    for what, given in (("tokens that no merge makes", unmade), ("special tokens", specials or {})):
        _check_ids(name, what, given.values())
        if any(_HALF.search(text) for text in given):
            raise BadInputError(f"vocabulary {name}: expected {what} of whole characters, found half a surrogate")
    try:
        compact_json(pre_tokenizer)
    except UnicodeEncodeError:
        raise BadInputError(
            f"vocabulary {name}: expected a pre-tokenizer of whole characters, found half a surrogate"
        ) from None
    tokens, merges = _tokens_of_merges(name, byte_ids, pairs, new_ids)
    to_byte = {letter: byte for byte, letter in enumerate(byte_letters())}
    for spelled, i in unmade.items():
        if i in tokens:
            raise BadInputError(f"vocabulary {name}: expected one token an id, found two with id {i}")
        if len(spelled) > _MOST_TOKEN_BYTES:
            raise BadInputError(
                f"vocabulary {name}: expected tokens of at most {_MOST_TOKEN_BYTES} bytes, found a longer one with id {i}"
            )
        tokens[i] = bytes(to_byte[letter] for letter in spelled) if all(map(to_byte.__contains__, spelled)) else b""
    n_ids = max(tokens) + 1
    specials = _complete_specials(specials or {}, n_ids)
    end_of_text = next(specials[known] for known in _ENDS if known in specials)
    highest = max(n_ids - 1, *specials.values())
    next_id = n_ids if has_own_specials(specials, n_ids) else highest + 1
    rows = n_ids + ROOM_FOR_SPECIALS if next_id == n_ids else highest + 1
    model_size = -(-rows // MODEL_SIZE_MULTIPLE) * MODEL_SIZE_MULTIPLE
    lengths = np.zeros(model_size, dtype=np.int64)
    for i, token in tokens.items():
        lengths[i] = len(token)
    made = Vocabulary(
        name=name,
        fingerprint="",
        n_ids=n_ids,
        base_ids=next_id if base_ids is None else base_ids,
        next_id=next_id,
        end_of_text=end_of_text,
        beginning_of_text=next((specials[known] for known in _BEGINNINGS if known in specials), None),
        padding=end_of_text,
        model_size=model_size,
        specials=specials,
        pattern=_single_pattern(pre_tokenizer),
        pre_tokenizer=compact_json(pre_tokenizer).decode(),
        ignore_merges=ignore_merges,
        unmade=unmade,
        merges=merges,
        token_bytes=np.frombuffer(b"".join(tokens[i] for i in sorted(tokens)), dtype=np.uint8),
        token_offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
        byte_ids=np.array(byte_ids, dtype=np.int32),
    )
    digest = hashlib.blake2b(compact_json(content_of(made)), digest_size=16).hexdigest()
    object.__setattr__(made, "fingerprint", digest)  # of its own content, so it cannot be known before
    return made


def content_of(vocabulary: Vocabulary) -> VocabularyContent:
    """Return the content that decides ids, as in the module's docstring."""
    made = np.concatenate([vocabulary.byte_ids, vocabulary.merges[:, 2]])
    new = np.sort(np.unique(made, return_index=True)[1])[len(vocabulary.byte_ids) :]
    ids = made[new].astype(np.int64)
    begins = np.flatnonzero(np.diff(ids, prepend=-2) != 1)
    lengths = np.diff(begins, append=len(ids))
    runs = np.stack([ids[begins], lengths], axis=1).tolist()
    return {
        "format": FORMAT,
        "pre_tokenizer": json.loads(vocabulary.pre_tokenizer),
        "byte_ids": vocabulary.byte_ids.tolist(),
        "merges": vocabulary.merges[:, :2].ravel().tolist(),
        "new_ids": runs,
        "unmade": dict(vocabulary.unmade),
        "ignore_merges": vocabulary.ignore_merges,
        "specials": dict(vocabulary.specials),
        "end_of_text": vocabulary.end_of_text,
        "beginning_of_text": vocabulary.beginning_of_text,
        "padding": vocabulary.padding,
        "model_size": vocabulary.model_size,
    }


_HALF: Final = re.compile("[\ud800-\udfff]")


def _check_ids(name: str, what: str, ids: Iterable[object]) -> None:
    """Raise BadInputError unless all ids are whole numbers that the tables have room for."""
    for i in ids:
        if type(i) is not int or not 0 <= i < MOST_IDS:
            raise BadInputError(
                one_line(f"vocabulary {name}: expected ids of {what} from 0 to {MOST_IDS - 1}, found {str(i)[:40]!r}")
            )


def _tokens_of_merges(
    name: str, byte_ids: Sequence[int], pairs: Int32s, new_ids: Sequence[int]
) -> tuple[dict[int, bytes], Int32s]:
    if len(byte_ids) != 256 or len(set(byte_ids)) != 256:
        raise BadInputError(f"vocabulary {name}: expected an id for each of 256 bytes, found {len(set(byte_ids))}")
    tokens = {i: bytes([byte]) for byte, i in enumerate(byte_ids)}
    known = {token: i for i, token in tokens.items()}
    merges = np.empty((len(pairs), 3), dtype=np.int32)
    merges[:, :2] = pairs
    ids = iter(new_ids)
    made_bytes = 0
    made_ids = []
    for rank, (left, right) in enumerate(pairs.tolist()):
        if left not in tokens or right not in tokens:
            found = left if left not in tokens else right
            raise BadInputError(f"vocabulary {name}: expected parts made before merge {rank}, found id {found}")
        begin, rest = tokens[left], tokens[right]
        length = len(begin) + len(rest)
        made_bytes += length
        if length > _MOST_TOKEN_BYTES or made_bytes > _MOST_MADE_BYTES:
            raise BadInputError(
                f"vocabulary {name}: expected tokens of at most {_MOST_TOKEN_BYTES} bytes and merges of at most {_MOST_MADE_BYTES} in all, "
                f"found more at merge {rank}"
            )
        string = begin + rest
        made = known.get(string)
        if made is None:
            made = next(ids, -1)
            if made < 0 or made in tokens:
                found = "none" if made < 0 else f"{made}, which is taken"
                raise BadInputError(
                    f"vocabulary {name}: expected a new id for the token of merge {rank}, found {found}"
                )
            known[string] = made
            tokens[made] = string
        made_ids.append(made)
    merges[:, 2] = made_ids
    if (left_over := sum(1 for _ in ids)) > 0:
        raise BadInputError(f"vocabulary {name}: expected as many new strings as ids, found {left_over} ids too many")
    return tokens, merges


def _complete_specials(specials: Mapping[str, int], n_ids: int) -> dict[str, int]:
    if not specials:
        return {END_OF_TEXT: n_ids, BEGINNING_OF_TEXT: n_ids + 1}
    if any(known in specials for known in _ENDS):
        return dict(specials)
    return dict(specials) | {END_OF_TEXT: max(n_ids - 1, *specials.values()) + 1}


def _single_pattern(pre_tokenizer: Mapping[str, object]) -> str:
    """Return the only pattern of a pre-tokenizer that `split_pre_tokenizer` could have made, else an empty string."""
    match pre_tokenizer:
        case {"pretokenizers": [{"pattern": {"Regex": str(pattern)}}, {"trim_offsets": trim_offsets}]}:
            return pattern if split_pre_tokenizer(pattern, trim_offsets=trim_offsets) == pre_tokenizer else ""
    return ""
