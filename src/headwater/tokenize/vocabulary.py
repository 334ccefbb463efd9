"""Vocabularies: byte-level BPE merges, their ids, and the fingerprint under which tokens made with them are stored.

The shipped form is xz-compressed canonical JSON (0.6 MB), read with the standard library's `lzma`:

    {"format": 1, "name": …, "pattern": …, "alphabet": [256 bytes in the order of their ids],
     "merges": [left id, right id, left id, right id, …], "n_ids": 156892, "end_of_text": 156892, "padding": 156892, "model_size": 157184}

The first 256 ids are the bytes. Each merge makes the concatenation of two tokens; one that is not a token yet gets the
next id. A special token's text inside a document is ordinary text: no special token is ever looked for.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError, UsageError

__all__ = ["Vocabulary", "load_vocabulary", "pack_vocabulary", "tokenizer_json"]

FORMAT: Final = 1
MODEL_SIZE_MULTIPLE: Final = 512  # 128 rows for each of four tensor-parallel ranks, as Megatron pads
_END_OF_TEXT_NAMES: Final = ("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Vocabulary:
    """A byte-level BPE vocabulary.

    Attributes:
        name: name or file name it was loaded by; not part of its identity.
        fingerprint: 32 hexadecimal digits, BLAKE2b-128 of the canonical JSON of everything that decides ids.
        n_ids: ordinary ids are 0 to `n_ids - 1`.
        end_of_text: id put after a document.
        padding: id that fills a sequence.
        model_size: rows that a model's embedding needs, a multiple of 512.
        pattern: the pre-tokenizer in Oniguruma's syntax.
        merges: int32 [n_merges, 3]: left id, right id, id made; in order of priority.
        token_bytes: uint8, the bytes of all tokens one after the other.
        token_offsets: int64 [model_size + 1] into `token_bytes`; special and unused ids are empty.
        byte_ids: int32 [256], the id of each byte.
        foreign: the tokenizer.json it was read from, when its pre-tokenizer is not a single pattern of ours.
    """

    name: str
    fingerprint: str
    n_ids: int
    end_of_text: int
    padding: int
    model_size: int
    pattern: str
    merges: npt.NDArray[np.int32] = field(repr=False)
    token_bytes: npt.NDArray[np.uint8] = field(repr=False)
    token_offsets: npt.NDArray[np.int64] = field(repr=False)
    byte_ids: npt.NDArray[np.int32] = field(repr=False)
    foreign: str | None = field(repr=False, default=None)


@functools.lru_cache(maxsize=8)
def load_vocabulary(name: str = "headwater-156k") -> Vocabulary:
    """Return a shipped vocabulary by name, or the one of a `tokenizer.json` by path; the same object every time.

    Raises:
        UsageError: neither a shipped vocabulary nor a file.
        BadInputError: the file is no byte-level BPE without normalizer, or its ids do not follow from its merges.
    """
    shipped = resources.files("headwater.tokenize") / "data" / f"{name}.json.xz"
    if "/" not in name and shipped.is_file():
        content = json.loads(lzma.decompress(shipped.read_bytes()))
        if content["format"] != FORMAT:
            raise BadInputError(f"vocabulary {name}: expected format {FORMAT}, found {content['format']}")
        return _from_content(name, content)
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"vocabulary {name!r}: expected headwater-156k or the path of a tokenizer.json, found neither")
    return _from_tokenizer(name, path.read_text(encoding="utf-8"))


def pack_vocabulary(tokenizer: dict[str, Any], name: str = "headwater-156k") -> bytes:
    """Return the shipped form of a `tokenizer.json` whose ids are its alphabet and then its merges in order.

    Raises:
        BadInputError: some id does not follow from the merges.
    """
    vocab: dict[str, int] = tokenizer["model"]["vocab"]
    letters = byte_letters()
    to_byte = {letter: byte for byte, letter in enumerate(letters)}
    by_id = sorted(vocab, key=vocab.__getitem__)
    pairs = [_split_merge(merge) for merge in tokenizer["model"]["merges"]]
    content = {
        "format": FORMAT,
        "name": name,
        "pattern": tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"],
        "alphabet": [to_byte[letter] for letter in by_id[:256]],
        "merges": [vocab[part] for pair in pairs for part in pair],
        "n_ids": len(vocab),
        "end_of_text": len(vocab),
        "padding": len(vocab),
        "model_size": _model_size(len(vocab) + 1),
    }
    made = _from_content(name, content)
    ids = np.arange(len(vocab))
    if any(_spell(made, i, letters) != by_id[i] for i in ids.tolist()):
        raise BadInputError("trained vocabulary: expected ids in the order of the merges, found another order")
    return lzma.compress(_canonical(content), format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)


def tokenizer_json(vocabulary: Vocabulary) -> str:
    """Return the vocabulary as a `tokenizer.json` without special tokens, which the library `tokenizers` loads."""
    if vocabulary.foreign is not None:
        return vocabulary.foreign
    letters = byte_letters()
    spelled = [_spell(vocabulary, token, letters) for token in range(vocabulary.n_ids)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": vocabulary.pattern}, "behavior": "Isolated", "invert": False}
    merges = [[spelled[left], spelled[right]] for left, right, _ in vocabulary.merges.tolist()]
    document: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(spelled)}, "merges": merges},
    }
    return json.dumps(document, ensure_ascii=False)


@functools.cache
def byte_letters() -> tuple[str, ...]:
    """Return the printable letter that stands for each of the 256 bytes in a `tokenizer.json` (GPT-2's table).

    Bytes that are printable in Latin-1 stand for themselves; the others, in order, for U+0100 onwards.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return tuple(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))


def _from_content(name: str, content: dict[str, Any]) -> Vocabulary:
    tokens = [bytes([byte]) for byte in content["alphabet"]]
    known = {token: i for i, token in enumerate(tokens)}
    flat: list[int] = content["merges"]
    merges = np.empty((len(flat) // 2, 3), dtype=np.int32)
    for i, (left, right) in enumerate(zip(flat[::2], flat[1::2], strict=True)):
        made = tokens[left] + tokens[right]
        if made not in known:
            known[made] = len(tokens)
            tokens.append(made)
        merges[i] = left, right, known[made]
    if len(tokens) != content["n_ids"]:
        raise BadInputError(f"vocabulary {name}: expected {content['n_ids']} ids, its merges make {len(tokens)}")
    content = {key: value for key, value in content.items() if key != "name"}
    return _assemble(name, dict(enumerate(tokens)), merges, content, None)


def _from_tokenizer(name: str, text: str) -> Vocabulary:
    document = json.loads(text)
    model = document.get("model", {})
    if model.get("type") != "BPE" or not _is_byte_level(document.get("pre_tokenizer")):
        raise BadInputError(f"vocabulary {name}: expected a byte-level BPE, found {model.get('type')}")
    normalizer = document.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        found = normalizer["type"]
        raise BadInputError(f"vocabulary {name}: expected no normalizer, found {found}: it could not give text back")
    vocab: dict[str, int] = model["vocab"]
    to_byte = {letter: byte for byte, letter in enumerate(byte_letters())}
    spelled = {i: token for token, i in vocab.items() if all(letter in to_byte for letter in token)}
    tokens = {i: bytes(to_byte[letter] for letter in token) for i, token in spelled.items()}
    pairs = [_split_merge(merge) for merge in model["merges"]]
    merges = np.array([[vocab[a], vocab[b], vocab[a + b]] for a, b in pairs], dtype=np.int32).reshape(-1, 3)
    added = {token["content"]: token["id"] for token in document.get("added_tokens", [])}
    highest = max([*vocab.values(), *added.values()])
    end_of_text = next((added[known] for known in _END_OF_TEXT_NAMES if known in added), highest + 1)
    document["added_tokens"] = []  # their text inside a document is ordinary text
    document["post_processor"] = None  # nothing is put around a document here
    stages = document["pre_tokenizer"].get("pretokenizers", [])
    patterns = [stage["pattern"].get("Regex", "") for stage in stages if stage["type"] == "Split"]
    content = {
        "format": FORMAT,
        "pattern": patterns[0] if len(patterns) == 1 else "",
        "pre_tokenizer": document["pre_tokenizer"],
        "ignore_merges": bool(model.get("ignore_merges")),
        "vocab": vocab,
        "merges": merges[:, :2].ravel().tolist(),
        "n_ids": max(vocab.values()) + 1,
        "end_of_text": end_of_text,
        "padding": end_of_text,
        "model_size": _model_size(max(highest, end_of_text) + 1),
    }
    return _assemble(name, tokens, merges, content, json.dumps(document, ensure_ascii=False))


def _assemble(
    name: str, tokens: dict[int, bytes], merges: npt.NDArray[np.int32], content: dict[str, Any], foreign: str | None
) -> Vocabulary:
    by_byte = {token: i for i, token in tokens.items() if len(token) == 1}
    if len(by_byte) != 256:
        raise BadInputError(f"vocabulary {name}: expected a token for each of 256 bytes, found {len(by_byte)}")
    lengths = np.zeros(content["model_size"], dtype=np.int64)
    for i, token in tokens.items():
        lengths[i] = len(token)
    return Vocabulary(
        name=name,
        fingerprint=hashlib.blake2b(_canonical(content), digest_size=16).hexdigest(),
        n_ids=content["n_ids"],
        end_of_text=content["end_of_text"],
        padding=content["padding"],
        model_size=content["model_size"],
        pattern=content["pattern"],
        merges=merges,
        token_bytes=np.frombuffer(b"".join(tokens[i] for i in sorted(tokens)), dtype=np.uint8),
        token_offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
        byte_ids=np.array([by_byte[bytes([byte])] for byte in range(256)], dtype=np.int32),
        foreign=foreign,
    )


def _is_byte_level(pre_tokenizer: dict[str, Any] | None) -> bool:
    stages = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer or {}])
    return any(stage.get("type") == "ByteLevel" and not stage.get("add_prefix_space") for stage in stages)


def _split_merge(merge: str | Iterable[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _spell(vocabulary: Vocabulary, token: int, letters: tuple[str, ...]) -> str:
    begin, end = vocabulary.token_offsets[token], vocabulary.token_offsets[token + 1]
    return "".join(letters[byte] for byte in vocabulary.token_bytes[begin:end].tolist())


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _model_size(n: int) -> int:
    return -(-n // MODEL_SIZE_MULTIPLE) * MODEL_SIZE_MULTIPLE
