"""`tokenizer.json`, the form of the library `tokenizers`: read from others, written for others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from headwater.errors import BadInputError, one_line
from headwater.plain import JsonObject
from headwater.tokenize.vocabulary.content import MOST_IDS, Vocabulary, assemble, byte_letters, token_strings
from headwater.untrusted import parse_json

__all__ = ["read_tokenizer_json", "write_tokenizer_json"]


def read_tokenizer_json(name: str, data: bytes) -> Vocabulary:
    """Return the vocabulary of a `tokenizer.json`.

    It keeps its pre-tokenizer, its merges and all its ids. Its added tokens become special tokens, whose text inside a
    document is ordinary text, whether the file calls them special or not. What it puts around a document is left out.

    Raises:
        BadInputError: it is no JSON or no byte-level BPE, or has a normalizer, or something else that loses text or is random.
    """
    try:
        document = parse_json(data)
    except ValueError as error:
        raise BadInputError(one_line(f"vocabulary {name}: expected a tokenizer.json, found no JSON: {error}")) from None
    model = _member(name, document, "model")
    pre_tokenizer = document.get("pre_tokenizer")
    if model.get("type") != "BPE" or not isinstance(pre_tokenizer, dict) or not _is_byte_level(pre_tokenizer):
        raise BadInputError(
            one_line(f"vocabulary {name}: expected a byte-level BPE, found {str(model.get('type'))[:40]}")
        )
    normalizer = document.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        found = str(normalizer.get("type") if isinstance(normalizer, dict) else normalizer)[:40]
        raise BadInputError(
            f"vocabulary {name}: expected no normalizer, found {found}: it changes text before encoding, so decoding "
            "could not give the text back; take a tokenizer without one"
        )
    for setting in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(setting):
            raise BadInputError(f"vocabulary {name}: expected a byte-level BPE without {setting}, found one")
    vocab: dict[str, int] = _member(name, model, "vocab")
    if len(vocab) > MOST_IDS or not all(type(i) is int and 0 <= i < MOST_IDS for i in vocab.values()):
        raise BadInputError(f"vocabulary {name}: expected tokens with ids from 0 to {MOST_IDS - 1}, found others")
    added = _added_tokens(name, document.get("added_tokens") or [])
    letters = byte_letters()
    pairs, new_ids = [], []
    known = set(letters)
    missing = [letter for letter in letters if letter not in vocab]
    if missing:
        raise BadInputError(f"vocabulary {name}: expected a token for each of 256 bytes, {len(missing)} are missing")
    for rank, merge in enumerate(_merges(name, model.get("merges"))):
        left, right = merge
        if not {left, right, left + right} <= vocab.keys():
            raise BadInputError(f"vocabulary {name}: expected tokens for both parts and the result of merge {rank}")
        pairs.append((vocab[left], vocab[right]))
        if left + right not in known:
            known.add(left + right)
            new_ids.append(vocab[left + right])
    return assemble(
        name=name,
        pre_tokenizer=pre_tokenizer,
        byte_ids=[vocab[letter] for letter in letters],
        pairs=np.array(pairs, dtype=np.int32).reshape(-1, 2),
        new_ids=new_ids,
        unmade={token: i for token, i in vocab.items() if token not in known and token not in added},
        ignore_merges=bool(model.get("ignore_merges")),
        specials=added,
    )


def write_tokenizer_json(vocabulary: Vocabulary, *, specials: bool = True) -> str:
    """Return the vocabulary as a `tokenizer.json`, which `read_tokenizer_json` reads back with the same fingerprint.

    Args:
        vocabulary: any.
        specials: with its special tokens. The library finds their text in documents, unless
            `tokenizer.encode_special_tokens` is True; without them it cannot.
    """
    letters = byte_letters()
    vocab = {"".join(letters[byte] for byte in token): i for i, token in enumerate(token_strings(vocabulary)) if token}
    vocab |= dict(vocabulary.unmade)
    spelled = {i: token for token, i in vocab.items()}
    merges = [[spelled[left], spelled[right]] for left, right, _ in vocabulary.merges.tolist()]
    added = sorted(vocabulary.specials.items(), key=lambda item: item[1]) if specials else []
    if [i for _, i in added] != list(range(len(vocab), len(vocab) + len(added))):
        # The library numbers added tokens itself, from the size of the model's vocabulary on, unless they are in it.
        vocab |= dict(added)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for content, i in added
        ],
        "normalizer": None,
        "pre_tokenizer": json.loads(vocabulary.pre_tokenizer),
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": vocabulary.ignore_merges,
            "vocab": vocab,
            "merges": merges,
        },
    }
    return json.dumps(document, ensure_ascii=False)


def _is_byte_level(pre_tokenizer: object) -> bool:
    """Return whether a pre-tokenizer, or a stage of one that is a sequence, maps bytes to letters and adds no space."""
    match pre_tokenizer:
        case {"pretokenizers": [*found]}:
            stages = found
        case _:
            stages = [pre_tokenizer]
    return any(
        isinstance(stage, dict) and stage.get("type") == "ByteLevel" and not stage.get("add_prefix_space")
        for stage in stages
    )


def _member(name: str, table: object, key: str) -> JsonObject:
    """Return the object that a table has under a key, or raise BadInputError."""
    found = table.get(key) if isinstance(table, dict) else None
    if not isinstance(found, dict):
        raise BadInputError(
            f"vocabulary {name}: expected a byte-level BPE, a tokenizer.json with an object {key!r}, found none"
        )
    return found


def _added_tokens(name: str, tokens: object) -> dict[str, int]:
    """Return text to id of the added tokens, or raise BadInputError."""
    found: dict[str, int] = {}
    for token in tokens if isinstance(tokens, list) else [None]:
        match token:
            case {"content": str(content), "id": int(i)} if type(i) is int:
                found[content] = i
            case _:
                raise BadInputError(f"vocabulary {name}: expected added tokens with content and id, found others")
    return found


def _merges(name: str, merges: object) -> Iterator[tuple[str, str]]:
    """Yield the parts of each merge, written as two strings or as one with a blank between them, or raise BadInputError."""
    for rank, merge in enumerate(merges if isinstance(merges, list) else [None]):
        match merge.split(" ") if isinstance(merge, str) else merge:
            case [str(left), str(right)]:
                yield left, right
            case _:
                raise BadInputError(f"vocabulary {name}: expected two parts of merge {rank}, found something else")
