"""The shipped vocabulary: its size, its identity, its grammar; and vocabularies of others."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from headwater.errors import BadInputError, UsageError
from headwater.tokenize.encode.grammar import (
    BREAK,
    COMMON_LETTER,
    DIGIT,
    SIGN,
    character_classes,
    class_patterns,
    encoding_pattern,
)
from headwater.tokenize.forms.load import (
    Vocabulary,
    extend_vocabulary,
    load_vocabulary,
    vocabulary_from_merges,
    write_vocabulary,
)
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json


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
    """156,892 ids, then end of text which is padding too and beginning of text; a model size that is a multiple of 128."""
    assert vocabulary.n_ids == vocabulary.end_of_text == vocabulary.padding == 156_892
    assert vocabulary.beginning_of_text == 156_893
    assert vocabulary.specials == {"<|endoftext|>": 156_892, "<|startoftext|>": 156_893}
    assert (vocabulary.base_ids, vocabulary.next_id) == (128_000, 156_892)
    assert vocabulary.model_size == 157_184
    assert len(vocabulary.merges) == 156_892 - 256


def test_fingerprint_is_that_of_the_release(vocabulary: Vocabulary) -> None:
    """A change of the shipped vocabulary changes every shard and must be seen in review."""
    assert vocabulary.fingerprint == "5b53f8e1df577ec9c63baf69bc76f9a8"
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


@pytest.mark.slow
def test_compact_form_and_tokenizer_json_keep_the_fingerprint(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Written and read back, either way, it is the same vocabulary; the compact form is the same bytes every time."""
    compact = tmp_path / "ours.json.xz"
    compact.write_bytes(write_vocabulary(vocabulary))
    again = load_vocabulary(str(compact))
    assert (again.fingerprint, again.name) == (vocabulary.fingerprint, "headwater-156k")
    assert write_vocabulary(again) == compact.read_bytes()
    document = tmp_path / "tokenizer.json"
    document.write_text(write_tokenizer_json(vocabulary), encoding="utf-8")
    assert load_vocabulary(str(document)).fingerprint == vocabulary.fingerprint
    assert np.array_equal(again.merges, vocabulary.merges)


def test_own_vocabularies_extend_without_moving_an_id(vocabulary: Vocabulary) -> None:
    """The first 128,000 ids, extended by the other merges, are the shipped vocabulary, and know where the base ended."""
    alphabet = np.argsort(vocabulary.byte_ids).tolist()
    pairs = vocabulary.merges[:, :2]
    base = vocabulary_from_merges(
        name="base", pattern=vocabulary.pattern, alphabet=alphabet, pairs=pairs[: 128_000 - 256]
    )
    assert (base.n_ids, base.base_ids, base.end_of_text, base.beginning_of_text) == (128_000, 128_000, 128_000, 128_001)
    extended = extend_vocabulary(base, pairs[128_000 - 256 :], name="extended")
    assert extended.fingerprint == vocabulary.fingerprint
    assert (extended.base_ids, extended.next_id) == (128_000, 156_892)


def test_merges_that_make_nothing_new_or_of_nothing_are_refused(vocabulary: Vocabulary) -> None:
    """Each merge makes a string that is no token yet, of two tokens that are."""
    left, right, _ = vocabulary.merges[5].tolist()
    with pytest.raises(BadInputError, match="expected as many new strings as ids"):
        extend_vocabulary(vocabulary, np.array([[left, right]], dtype=np.int32), name="twice")
    with pytest.raises(BadInputError, match="expected parts made before merge 156636, found id 156900"):
        extend_vocabulary(vocabulary, np.array([[5, 156_900]], dtype=np.int32), name="parts")


@pytest.mark.slow
def test_damaged_files_are_refused(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Truncated, of another format, or no vocabulary at all: an error that names the file."""
    path = tmp_path / "cut.json.xz"
    path.write_bytes(write_vocabulary(vocabulary)[:-100])
    with pytest.raises(BadInputError, match="cut.json.xz: expected xz-compressed JSON, found damage"):
        load_vocabulary(str(path))
    old = tmp_path / "old.json.xz"
    old.write_bytes(lzma.compress(b'{"format": 1}'))
    with pytest.raises(BadInputError, match="expected format 2, found 1"):
        load_vocabulary(str(old))
    empty = tmp_path / "empty.json"
    empty.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="expected a byte-level BPE"):
        load_vocabulary(str(empty))


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
    assert loaded.model_size % 128 == 0
    document = json.loads(path.read_text())
    document["normalizer"] = {"type": "NFC"}
    (tmp_path / "nfc.json").write_text(json.dumps(document))
    with pytest.raises(BadInputError, match="expected no normalizer, found NFC"):
        load_vocabulary(str(tmp_path / "nfc.json"))
