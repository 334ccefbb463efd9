"""`tokenizer.json`, the form of the library `tokenizers`: read from others, written for others."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from headwater.errors import BadInputError
from headwater.tokenize.vocabulary.content import Vocabulary, assemble, byte_letters, token_strings

__all__ = ["read_tokenizer_json", "write_tokenizer_json"]


def read_tokenizer_json(name: str, text: str) -> Vocabulary:
    """Return the vocabulary of a `tokenizer.json`.

    It keeps its pre-tokenizer, its merges and all its ids. Its added tokens become special tokens, whose text inside a
    document is ordinary text, whether the file calls them special or not. What it puts around a document is left out.

    Raises:
        BadInputError: it is no byte-level BPE, or has a normalizer, or something else that loses text or is random.
    """
    document = json.loads(text)
    model = document.get("model", {})
    pre_tokenizer = document.get("pre_tokenizer")
    if model.get("type") != "BPE" or not _is_byte_level(pre_tokenizer):
        raise BadInputError(f"vocabulary {name}: expected a byte-level BPE, found {model.get('type')}")
    normalizer = document.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        found = normalizer["type"]
        raise BadInputError(
            f"vocabulary {name}: expected no normalizer, found {found}: it changes text before encoding, so decoding "
            "could not give the text back; take a tokenizer without one"
        )
    for setting in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(setting):
            raise BadInputError(f"vocabulary {name}: expected a byte-level BPE without {setting}, found one")
    vocab: dict[str, int] = model["vocab"]
    letters = byte_letters()
    pairs, new_ids = [], []
    known = set(letters)
    missing = [letter for letter in letters if letter not in vocab]
    if missing:
        raise BadInputError(f"vocabulary {name}: expected a token for each of 256 bytes, {len(missing)} are missing")
    for rank, merge in enumerate(model["merges"]):
        left, right = _split_merge(merge)
        if not {left, right, left + right} <= vocab.keys():
            raise BadInputError(f"vocabulary {name}: expected tokens for both parts and the result of merge {rank}")
        pairs.append((vocab[left], vocab[right]))
        if left + right not in known:
            known.add(left + right)
            new_ids.append(vocab[left + right])
    added = {token["content"]: token["id"] for token in document.get("added_tokens", [])}
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


def _split_merge(merge: str | Iterable[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right
