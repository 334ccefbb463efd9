"""The shipped vocabulary: its size, its identity, its grammar; and vocabularies of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from headwater.errors import BadInputError, UsageError
from headwater.tokenize.grammar import (
    BREAK,
    COMMON_LETTER,
    DIGIT,
    SIGN,
    character_classes,
    class_patterns,
    encoding_pattern,
    training_pattern,
)
from headwater.tokenize.vocabulary import Vocabulary, load_vocabulary, pack_vocabulary, tokenizer_json


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The shipped vocabulary."""
    return load_vocabulary()


def tokens_of(vocabulary: Vocabulary) -> list[bytes]:
    """Return the bytes of every ordinary token."""
    data = vocabulary.token_bytes.tobytes()
    bounds = vocabulary.token_offsets.tolist()
    return [data[bounds[i] : bounds[i + 1]] for i in range(vocabulary.n_ids)]


def test_sizes(vocabulary: Vocabulary) -> None:
    """156,892 ids, then end of text which is padding too, and a model size that is a multiple of 512."""
    assert vocabulary.n_ids == vocabulary.end_of_text == vocabulary.padding == 156_892
    assert vocabulary.model_size == 157_184
    assert len(vocabulary.merges) == 156_892 - 256


def test_fingerprint_is_that_of_the_release(vocabulary: Vocabulary) -> None:
    """A change of the shipped vocabulary changes every shard and must be seen in review."""
    assert vocabulary.fingerprint == "cdc8a8d4dc7f9d544dba2e7637aa15f0"
    assert load_vocabulary() is vocabulary


def test_tokens_are_all_different() -> None:
    """No token is empty or there twice."""
    tokens = tokens_of(load_vocabulary())
    assert len(set(tokens)) == len(tokens)
    assert all(tokens)


def test_no_token_joins_scripts_digits_or_line_breaks(vocabulary: Vocabulary) -> None:
    """The letters of a token are of one script; a digit stands alone and line breaks only with line breaks."""
    classes = character_classes()
    for token in tokens_of(vocabulary):
        kinds = [int(classes[ord(letter)]) for letter in token.decode(errors="ignore")]
        assert len({kind for kind in kinds if kind > COMMON_LETTER}) <= 1
        assert DIGIT not in kinds or len(kinds) == 1
        assert BREAK not in kinds or set(kinds) == {BREAK}


def test_tokens_have_at_most_16_characters(vocabulary: Vocabulary) -> None:
    """Counted in characters whatever the script; a character that is cut counts as one."""
    assert max(len(token.decode(errors="replace")) for token in tokens_of(vocabulary)) <= 16


def test_pieces_of_the_grammar() -> None:
    """Words with their marks, single digits, indentation without the last blank, scripts and line breaks apart."""
    split = pre_tokenizers.Split(Regex(encoding_pattern()), "isolated")

    def cut(text: str) -> list[str]:
        return [piece for piece, _ in split.pre_tokenize_str(text)]

    assert cut("    return x1_a\n\n") == ["   ", " return", " x", "1", "_a", "\n\n"]
    assert cut("don't 2026 ((a") == ["don", "'t", " ", "2", "0", "2", "6", " ((", "a"]
    assert cut("食べるラーメン") == ["食", "べる", "ラーメン"]
    assert cut("ru Россия") == ["ru", " Россия"]
    assert cut("ruРоссия") == ["ru", "Россия"]
    assert cut("नमस्ते e\u0301te\u0301") == ["नमस्ते", " e\u0301te\u0301"]
    assert cut("a  \n  b") == ["a", "  ", "\n", " ", " b"]


def test_training_pieces_are_short() -> None:
    """The pattern for training cuts every run at 16 characters and is else the same."""
    split = pre_tokenizers.Split(Regex(training_pattern()), "isolated")
    for run in ("a" * 100, " " + "я" * 100, "=" * 100, " " * 100, "\n" * 100):
        assert max(len(piece) for piece, _ in split.pre_tokenize_str(run)) <= 16


def test_character_classes_are_those_of_the_regex_engine() -> None:
    """For each class, the engine of `tokenizers` matches exactly the stored code points."""
    classes = character_classes()
    # Beyond, only plane 14 has characters; the encoder's tests go through all of Unicode.
    scalars = np.array([code for code in range(0x33000) if not 0xD800 <= code <= 0xDFFF])
    text = "".join(map(chr, scalars.tolist()))
    patterns = class_patterns()
    for number in (*range(1, 10), len(patterns)):
        left = pre_tokenizers.Split(Regex(patterns[number - 1]), "removed").pre_tokenize_str(text)
        matched = np.ones(len(scalars), dtype=bool)
        for _, (begin, end) in left:
            matched[begin:end] = False
        assert np.array_equal(classes[scalars] == number, matched), number
    assert classes.max() == len(patterns)
    assert classes[ord("!")] == SIGN


def test_packing_a_trained_vocabulary_keeps_its_ids(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Exporting to tokenizer.json and packing that again gives the shipped bytes' content: the same fingerprint."""
    document = json.loads(tokenizer_json(vocabulary))
    packed = tmp_path / "again.json"
    document["model"]["merges"] = document["model"]["merges"][:1000]
    spelled = sorted(document["model"]["vocab"], key=document["model"]["vocab"].__getitem__)[:1256]
    document["model"]["vocab"] = {token: i for i, token in enumerate(spelled)}
    assert pack_vocabulary(document) == pack_vocabulary(json.loads(json.dumps(document)))
    swapped = {**document["model"]["vocab"], spelled[1000]: 1001, spelled[1001]: 1000}
    document["model"]["vocab"] = swapped
    with pytest.raises(BadInputError, match="expected ids in the order of the merges"):
        pack_vocabulary(document)
    packed.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="expected a byte-level BPE"):
        load_vocabulary(str(packed))


def test_unknown_names_are_refused() -> None:
    """Neither a shipped name nor a file: the message says what there is."""
    with pytest.raises(UsageError, match="expected headwater-156k or the path"):
        load_vocabulary("headwater-200k")


def test_a_foreign_vocabulary_keeps_its_end_of_text_and_must_not_normalize(tmp_path: Path) -> None:
    """Ids of its added tokens stay theirs; a normalizer cannot give the text back."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the river and the stream " * 20], trainer)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    path = tmp_path / "theirs.json"
    tokenizer.save(str(path))
    loaded = load_vocabulary(str(path))
    assert loaded.end_of_text == tokenizer.token_to_id("<|endoftext|>")
    assert loaded.model_size % 512 == 0
    document = json.loads(path.read_text())
    document["normalizer"] = {"type": "NFC"}
    (tmp_path / "nfc.json").write_text(json.dumps(document))
    with pytest.raises(BadInputError, match="expected no normalizer, found NFC"):
        load_vocabulary(str(tmp_path / "nfc.json"))
