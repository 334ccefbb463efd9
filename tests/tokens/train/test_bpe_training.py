"""Training of vocabularies: the merges of a slow reference and of `tokenizers`, and what may not become a token."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from real_text import read_texts
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from headwater.errors import BadInputError, UsageError
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.train.bpe import train
from headwater.tokenize.train.learner import TokenRules
from headwater.tokenize.train.piece_counts import count_pieces, merge_counts
from headwater.tokenize.vocabulary.content import byte_letters

FREE = TokenRules(min_sources=1, min_documents=1, max_characters=10_000)
WORDS = [
    "stream",
    " streams",
    " river",
    " rivers",
    "aaaa",
    " aaab",
    "abab",
    "река",
    " реки",
    "川",
    "\n\n",
    "    ",
    "ไทย",
]


def counts_of(texts: list[str], sources: list[str] | None = None) -> pa.Table:
    """Counts of texts, each a document and a source of its own if not said otherwise."""
    names = [str(i) for i in range(len(texts))]
    columns = [names, sources or names, ["x"] * len(texts)]
    return merge_counts([count_pieces(pa.array(texts, pa.large_string()), *map(pa.array, columns))])


def tokens_of(pairs: list[list[int]]) -> list[bytes]:
    """The bytes of each id."""
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in pairs:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def is_cut(token: bytes) -> bool:
    """Whether it holds a part of a character beside another character or part."""
    begun = sum(byte & 0xC0 != 0x80 for byte in token)
    whole = "\ufffd" not in token.decode(errors="replace")
    return not whole and (begun > 1 or (begun == 1 and token[0] & 0xC0 == 0x80))


def train_slowly(counts: pa.Table, n_ids: int) -> list[list[int]]:
    """Count all pairs anew for each merge; ties by the bytes of the parts."""
    pieces = [(list(row["piece"]), row["count"]) for row in counts.to_pylist()]
    tokens, pairs = [bytes([byte]) for byte in range(256)], []
    refused = set()
    while len(tokens) < n_ids:
        found: Counter[tuple[int, int]] = Counter()
        for symbols, n in pieces:
            for pair in zip(symbols, symbols[1:], strict=False):
                found[pair] += n
        candidates = [pair for pair in found if pair not in refused]
        if not candidates:
            break
        best = min(candidates, key=lambda pair: (-found[pair], tokens[pair[0]], tokens[pair[1]]))
        token = tokens[best[0]] + tokens[best[1]]
        if token in tokens or is_cut(token):
            refused.add(best)
            continue
        tokens.append(token)
        pairs.append(list(best))
        for symbols, _ in pieces:
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i : i + 2] = [len(tokens) - 1]
                i += 1
    return pairs


@pytest.mark.parametrize("seed", range(4))
def test_merges_are_those_of_the_slow_reference(seed: int) -> None:
    """With ties, runs of one letter and text that ends before the ids do: pair for pair the same."""
    chosen = random.Random(seed)
    counts = counts_of(["".join(chosen.choices(WORDS, k=40)) for _ in range(30)])
    assert train(counts, n_ids=340, settings=FREE).tolist() == train_slowly(counts, 340)


def test_corpus_merges_are_those_of_the_slow_reference(real_text_files: list[Path]) -> None:
    """On real text too."""
    texts = [text[:1500] for path in real_text_files[::40] for text in read_texts(path)[:3]]
    counts = counts_of(texts)
    assert train(counts, n_ids=330, settings=FREE).tolist() == train_slowly(counts, 330)


def test_tokens_are_those_of_the_library() -> None:
    """`tokenizers` finds the same tokens, where counts differ in the same order; it breaks ties in another way."""
    chosen = random.Random(1)
    words = ["".join(chosen.choices("abcdeя漢", k=chosen.randint(2, 9))) for _ in range(40)]
    texts = [" ".join([word] * (1 << (i // 3))) + " " for i, word in enumerate(words[:36])]
    theirs = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(encoding_pattern()), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    theirs.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    theirs.train_from_iterator(texts, trainer)
    to_byte = {letter: byte for byte, letter in enumerate(byte_letters())}
    spelled = json.loads(theirs.to_str())["model"]["vocab"]
    own = tokens_of(train(counts_of(texts), n_ids=330, settings=FREE).tolist())
    shared = set(own) & {bytes(to_byte[letter] for letter in token) for token in spelled}
    assert len(shared) >= 326  # the last few may tie


def test_no_token_is_longer_than_the_limit() -> None:
    """Characters count, not bytes; at the limit a token may be."""
    counts = counts_of(["a" * 64 + " " + "ห" * 64] * 3)
    refused: dict[str, int] = {}
    settings = TokenRules(min_sources=1, min_documents=1, max_characters=8)
    tokens = tokens_of(train(counts, n_ids=400, settings=settings, refused=refused).tolist())
    lengths = {len(token.decode(errors="replace")) for token in tokens}
    assert b"a" * 8 in tokens
    assert "ห".encode() * 8 in tokens
    assert max(lengths) == 8
    assert refused["characters"] > 0


def test_a_token_is_whole_characters_or_a_part_of_one() -> None:
    """Else a run of parts would keep the characters around it from merging, as 90 D7 (hexadecimal) does in Hebrew."""
    chosen = random.Random(7)
    texts = ["".join("אבג" + chr(0xE00 + chosen.randrange(58)) + "😀" for _ in range(200)) for _ in range(4)]
    refused: dict[str, int] = {}
    settings = TokenRules(min_sources=1, min_documents=1)
    tokens = tokens_of(train(counts_of(texts), n_ids=900, settings=settings, refused=refused).tolist())
    cut = [token for token in tokens[256:] if "\ufffd" in token.decode(errors="replace")]
    assert cut
    for token in cut:
        begun = [byte for byte in token if byte & 0xC0 != 0x80]
        assert len(begun) == 0 or (len(begun) == 1 and token[0] == begun[0])
    assert "אבג".encode() in tokens
    assert refused["cut character"] > 0


@pytest.mark.parametrize(("n_sources", "n_documents", "learned"), [(3, 50, True), (2, 50, False), (3, 49, False)])
def test_a_token_needs_sources_and_documents(n_sources: int, n_documents: int, learned: bool) -> None:
    """However often it stands in them: at least 3 sources and 50 documents, over all pieces that hold it."""
    endings = "abcdefghijklmnopqrstuvw"
    texts = [f"qz{endings[i % 23]} " * 100 for i in range(n_documents)]
    counts = counts_of(texts, [f"s{min(i, n_sources - 1)}" for i in range(n_documents)])
    refused: dict[str, int] = {}
    tokens = tokens_of(train(counts, n_ids=300, refused=refused).tolist())
    assert (b"qz" in tokens) == learned
    if n_documents == 50:
        assert (refused["sources"] > 0) == (not learned)


def test_every_token_is_new_and_encodes_to_itself(real_text_files: list[Path]) -> None:
    """No text has two ids, and the bytes of each token, encoded alone, give that token (corpus text)."""
    texts = [text[:4000] for path in real_text_files[::20] for text in read_texts(path)[:6]]
    settings = TokenRules(min_sources=1, min_documents=2)
    tokens = tokens_of(train(counts_of(texts), n_ids=3000, settings=settings).tolist())
    assert len(set(tokens)) == len(tokens) > 500


def test_weights_decide_which_language_gets_tokens() -> None:
    """A weight multiplies a language's counts; 0 leaves it out."""
    columns = [pa.array(["xyxyxy ", "uvuvuvuvuv "]), pa.array(["1", "2"]), pa.array(["1", "2"]), pa.array(["p", "q"])]
    counts = merge_counts([count_pieces(*columns)])
    assert tokens_of(train(counts, n_ids=257, settings=FREE).tolist())[256] == b"uv"
    assert tokens_of(train(counts, n_ids=257, settings=FREE, weights={"p": 5}).tolist())[256] == b"xy"
    only = tokens_of(train(counts, n_ids=400, settings=FREE, weights={"q": 0}).tolist())[256:]
    assert all(b"u" not in token for token in only)
    with pytest.raises(BadInputError, match="found none"):
        train(counts, n_ids=257, weights={"p": 0, "q": 0})
    with pytest.raises(UsageError, match="weight of at least 0 for p, found -1"):
        train(counts, n_ids=257, weights={"p": -1})


def test_limits_beyond_what_counts_hold_are_refused() -> None:
    """Counts know the first 50 documents and 3 sources."""
    with pytest.raises(UsageError, match="min_documents between 1 and 50, found 51"):
        TokenRules(min_documents=51)
    with pytest.raises(UsageError, match="min_sources between 1 and 3, found 4"):
        TokenRules(min_sources=4)
    with pytest.raises(UsageError, match="at least the 256 ids that exist already, found 255"):
        train(counts_of(["a b"]), n_ids=255)
