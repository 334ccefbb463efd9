"""Extension of vocabularies: no text gets more tokens, every new token is new text that encodes to it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import read_texts
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from headwater.errors import UsageError
from headwater.tokenize.encode.encoder import decode, encode, encode_with_library
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.forms.load import (
    Vocabulary,
    extend_vocabulary,
    load_vocabulary,
    vocabulary_from_merges,
)
from headwater.tokenize.train.bpe import extend, train
from headwater.tokenize.train.learner import TokenRules, encode_slowly
from headwater.tokenize.train.piece_counts import count_pieces, merge_counts
from headwater.tokenize.train.segmentation import library_pieces, segment
from headwater.tokenize.vocabulary.content import token_strings

LOOSE = TokenRules(min_sources=1, min_documents=2)
WORDS = [" stream", " river", "rivers", " реки", "река", "川の", "水", "นที", "    ", "\n\n", "aaaa", "_x", " 12", "é"]


def counts_of(texts: list[str], base: Vocabulary | None = None) -> pa.Table:
    """Counts of texts, each a document and a source of its own, as the base cuts them."""
    names = pa.array([str(i) for i in range(len(texts))])
    cut = library_pieces(base) if base else None
    languages = pa.array(["x"] * len(texts))
    return merge_counts([count_pieces(pa.array(texts, pa.large_string()), names, names, languages, cut=cut)])


def make_texts(seed: int, n: int) -> list[str]:
    """Texts of a few words of several scripts, joined at random."""
    chosen = random.Random(seed)
    return ["".join(chosen.choices(WORDS, k=30)) for _ in range(n)]


def check_extension(base: Vocabulary, extended: Vocabulary, texts: list[str]) -> None:
    """Assert what must hold of every extension."""
    array = pa.array(texts, pa.large_string())
    before, after = encode(array, base), encode(array, extended)
    assert np.all(np.diff(after[1]) <= np.diff(before[1]))
    assert len(after[0]) < len(before[0])
    for i, text in enumerate(texts):
        own = after[0][after[1][i] : after[1][i + 1]]
        assert decode(own, extended) == text.encode()
        # each token of the extension covers whole tokens of the base
        old = np.cumsum([len(decode(one, base)) for one in before[0][before[1][i] : before[1][i + 1], None]])
        new = np.cumsum([len(decode(one, extended)) for one in own[:, None]])
        assert set(new.tolist()) <= set(old.tolist())
    tokens = token_strings(extended)
    fresh = range(extended.base_ids, extended.n_ids)
    spelled = [tokens[i] for i in fresh]
    assert len(set(spelled)) == len(spelled)
    assert not set(spelled) & set(token_strings(base)) - {b""}
    whole = [(i, token.decode()) for i, token in zip(fresh, spelled, strict=True) if is_text(token)]
    ids, offsets = encode(pa.array([text for _, text in whole], pa.large_string()), extended)
    assert np.all(np.diff(offsets) == 1)
    assert ids.tolist() == [i for i, _ in whole]


def is_text(token: bytes) -> bool:
    """Whether the bytes are whole characters."""
    return "\ufffd" not in token.decode(errors="replace")


@pytest.fixture(scope="module")
def own_base() -> Vocabulary:
    """A small vocabulary of our own."""
    pairs = train(counts_of(make_texts(1, 60)), n_ids=290, settings=LOOSE)
    return vocabulary_from_merges(name="base", pattern=encoding_pattern(), alphabet=range(256), pairs=pairs)


@pytest.fixture(scope="module")
def own_extended(own_base: Vocabulary) -> Vocabulary:
    """It, with more tokens."""
    pairs = extend(counts_of(make_texts(2, 80)), own_base, n_ids=330, settings=LOOSE)
    return extend_vocabulary(own_base, pairs, name="extended")


def test_an_extension_only_joins_tokens_of_the_base(own_base: Vocabulary, own_extended: Vocabulary) -> None:
    """On text that trained neither: no document longer, each border one of the base's, each new token itself."""
    assert own_extended.n_ids == 330
    assert own_extended.base_ids == own_base.n_ids
    check_extension(own_base, own_extended, make_texts(3, 50))


def test_an_extended_vocabulary_has_the_ids_of_tokenizers(own_extended: Vocabulary) -> None:
    """Kernel and library agree on it as on any other."""
    array = pa.array(make_texts(4, 50))
    assert encode(array, own_extended)[0].tolist() == encode_with_library(array, own_extended)[0].tolist()


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map("".join)))
def test_no_text_gets_more_tokens_than_under_the_shipped_base(text: str) -> None:
    """The shipped vocabulary without its appended merges is its base: whatever text comes, it is never longer."""
    vocabulary = load_vocabulary()
    array = pa.array([text], pa.large_string())
    assert len(encode(array, vocabulary)[0]) <= len(encode(array, base_of(vocabulary))[0])


def base_of(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary that was extended; the same object every time."""
    if vocabulary.fingerprint not in _BASES:
        pairs = vocabulary.merges[: vocabulary.base_ids - 256, :2]
        made = vocabulary_from_merges(name="base", pattern=vocabulary.pattern, alphabet=range(256), pairs=pairs)
        _BASES[vocabulary.fingerprint] = made
    return _BASES[vocabulary.fingerprint]


_BASES: dict[str, Vocabulary] = {}


def test_corpus_text_gets_no_more_tokens_than_under_the_shipped_base(real_text_files: list[Path]) -> None:
    """Real text of every language: the shipped vocabulary only joins tokens of its base."""
    vocabulary = load_vocabulary()
    assert vocabulary.base_ids == 128_000
    texts = [text[:4000] for path in real_text_files[::7] for text in read_texts(path)[:5]]
    array = pa.array(texts, pa.large_string())
    lengths = [np.diff(encode(array, made)[1]) for made in (vocabulary, base_of(vocabulary))]
    assert np.all(lengths[0] <= lengths[1])
    assert lengths[0].sum() < lengths[1].sum()


@pytest.mark.slow
def test_shipped_tokens_are_what_their_bytes_merge_to() -> None:
    """No id is out of reach, one that begins with a mark in the middle of a word included; every seventh is asked."""
    vocabulary = load_vocabulary()
    ranks = {(left, right): (rank, made) for rank, (left, right, made) in enumerate(vocabulary.merges.tolist())}
    tokens = token_strings(vocabulary)
    for i in range(256, vocabulary.n_ids, 7):
        assert encode_slowly([int(vocabulary.byte_ids[byte]) for byte in tokens[i]], ranks) == [i]


@pytest.mark.filterwarnings("ignore:vocabulary .*its pre-tokenizer is not Headwater:UserWarning")
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_an_imported_base_keeps_its_rules_and_ids(tmp_path: Path, ignore_merges: bool) -> None:
    """Another pre-tokenizer, and added tokens above the merges: new ids follow the highest, nothing gets longer."""
    theirs = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False)
    theirs.train_from_iterator(make_texts(1, 60), trainer)
    theirs.add_special_tokens(["<|endoftext|>", "<|user|>"])
    theirs.save(str(tmp_path / "tokenizer.json"))
    base = load_vocabulary(str(tmp_path / "tokenizer.json"))
    pairs = extend(counts_of(make_texts(2, 80), base), base, n_ids=base.next_id + 25, settings=LOOSE)
    extended = extend_vocabulary(base, pairs, name="theirs")
    assert extended.specials["<|user|>"] == base.specials["<|user|>"] == base.next_id - 1
    assert extended.n_ids == base.next_id + len(pairs)
    check_extension(base, extended, make_texts(3, 50))


def test_segmentation_spells_the_pieces(own_base: Vocabulary) -> None:
    """The ids of each piece are those of the encoder."""
    pieces = counts_of(make_texts(5, 10))["piece"]
    ids, offsets = segment(pieces, own_base)
    tokens = token_strings(own_base)
    for i, piece in enumerate(pieces.to_pylist()):
        assert b"".join(tokens[one] for one in ids[offsets[i] : offsets[i + 1]]) == piece


def test_fewer_ids_than_the_base_has_are_refused(own_base: Vocabulary) -> None:
    """An extension cannot take tokens away."""
    with pytest.raises(UsageError, match="expected at least the 290 ids that exist already, found 280"):
        extend(counts_of(make_texts(1, 5)), own_base, n_ids=280, settings=LOOSE)
