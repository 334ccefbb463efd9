"""The ablation: what is in the pool and what is not, what an arm takes, what a model is asked, and what the figures say."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # pytest may be started from elsewhere

from bench.ablation.__main__ import main
from bench.ablation.arms import choose
from bench.ablation.documents import Document, cut, gather, hash_fraction
from bench.ablation.kenlm import judge
from bench.ablation.old_formulas import old_scores
from bench.ablation.overlap import keep_apart
from bench.ablation.page_text import page_text
from bench.ablation.report import interval, markdown, summary
from bench.ablation.tokens import encode_documents, small_vocabulary

from headwater.filters.signals.measure import measure_signals

_WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("m", "rt", "ns", "l")]
# Stand-ins for KenLM's programs, with the arguments and the output of the real ones: a unigram model with one added to each count.
_LMPLZ = """
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
size = int(given["--vocab_pad"]) - 2  # neither <s> nor <unk> is an id, </s> is predicted
words = [word for line in open(sys.argv[sys.argv.index("--text") + 1]) for word in [*line.split(), "</s>"]]
with open(sys.argv[sys.argv.index("--arpa") + 1], "w") as out:
    json.dump({"size": size, "words": words}, out)
with open(__file__ + ".calls", "a") as calls:
    calls.write("1")
"""
_QUERY = """
import json, math, sys
assert sys.argv[1:3] == ["-v", "sentence"]
model = json.load(open(sys.argv[3]))
for line in sys.stdin:
    words = [*line.split(), "</s>"]
    share = [(model["words"].count(word) + 1) / (len(model["words"]) + model["size"]) for word in words]
    print(f"Total: {sum(map(math.log10, share))} OOV: 0")
print("Perplexity including OOVs:\\t2")
"""

_OLD_TEXTS = (
    "",
    "First we add 2 + 3 = 5. Then 5 * 4 = 20, so the sum is 20.",
    "The river rises in the northern hills and, because rain is frequent there, it never dries up. Its mouth was charted in 1821.",
    "def area(width, height):\n    if width < 0:\n        return 0\n    return width * height\n\nprint(area(3, 4))\n",
)
_OLD_SCORES = {  # as `headwater.filters.scores.formulas` gave them at commit 846a7e3
    "quality": [0, 17525, 32836, 27160],
    "knowledge_density": [0, 27687, 36282, 33859],
    "reasoning_density": [0, 42485, 20865, 41381],
}


def _text(number: int, n_words: int = 80) -> str:
    words = [_WORDS[int(hash_fraction(str(number), str(place)) * len(_WORDS))] for place in range(n_words)]
    return " ".join(words) + ".\n"


def _documents(texts: list[str], source: str = "s") -> list[Document]:
    return [Document(key=f"{int(hash_fraction(text) * (1 << 53)):032x}", source=source, text=text) for text in texts]


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.output_stream(str(path), compression="zstd") as out:
        out.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def _shared(folder: Path) -> Path:
    """A corpus of one source of each kind, evaluation sets, and pages of ten sites."""
    corpus = folder / "corpus"
    for begin, source in enumerate(("manpages", "wikipedia-leads", "gnome-help", "competition-math")):
        _write(corpus / source / "en.jsonl.zst", [{"text": _text(1000 * begin + i)} for i in range(60)])
    pages = [
        {
            "id": str(i),
            "url": f"https://www.site{i % 10}.example/{i}",
            "page_type": "forum",
            "main_content": _text(9000 + i),
            "html": f"<ul><li>Home</ul><p>{_text(9000 + i)}</p>",
        }
        for i in range(60)
    ]
    _write(folder / "web" / "pages_wcxb.jsonl.zst", pages)
    question = {"question": _text(8000), "choices": ["one", "two"], "answer": "A"}
    _write(folder / "benchmarks" / "mmlu_test.jsonl.zst", [question])
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of the stand-ins for lmplz and query."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, program in (("lmplz", _LMPLZ), ("query", _QUERY)):
        (folder / name).write_text(f"#!{sys.executable}\n{program}")
        (folder / name).chmod(0o755)
    return folder


def test_page_text_is_what_a_reader_sees() -> None:
    """Blocks are lines, inline elements are not; head, scripts and styles are not seen, also where the head's end is left out."""
    page = "<head><title>T</title><body><ul><li>Home<li>Cart</ul><p>A <b>bold</b>\n word.</p><script>x<y</script><style>z</style>"
    assert page_text(page) == "Home\nCart\nA bold word.\n"
    assert page_text("") == ""


def test_long_documents_are_cut_at_ends_of_lines() -> None:
    """No piece is longer than asked for, except one long line; nothing is lost."""
    assert cut("one\ntwo\nthree\n", 8) == ["one\ntwo\n", "three\n"]
    assert cut("a long line\nb", 3) == ["a long line\n", "b"]


def test_no_reference_text_is_in_the_pool(tmp_path: Path) -> None:
    """Whole sources, documents and sites are out of the pool; a page is in it once, as main text or with its boilerplate."""
    found = gather(
        _shared(tmp_path), "en", piece_bytes=16_000, most_pieces=4, source_bytes=10**6, reference_bytes=10**6
    )
    assert found.held_out == {
        "competition-math": "source",
        "gnome-help": "source",
        "mmlu-test": "source",
        "wikipedia-leads": "documents",
        "web-forum": "sites",
    }
    assert found.classes["web-forum"] == "disliked"
    pool = {document.text for document in found.pool}
    for documents in found.references.values():
        assert documents
        assert not pool & {document.text for document in documents}
    assert {document.source for document in found.pool} == {"manpages", "wikipedia-leads", "web-main", "web-raw"}
    pages = [document.text.removeprefix("Home\n") for document in found.pool if document.source.startswith("web")]
    assert len(pages) == len(set(pages))
    assert len(pages) + len(found.references["web-forum"]) == 60
    smaller = gather(tmp_path, "en", piece_bytes=16_000, most_pieces=4, source_bytes=1000, reference_bytes=1000)
    assert sum(document.n_bytes for document in smaller.pool if document.source == "manpages") <= 1000
    assert sum(document.n_bytes for document in smaller.references["gnome-help"]) <= 1000


def test_near_duplicates_are_kept_apart() -> None:
    """A pool document of which much stands in a reference text goes; so does a reference that a longer document quotes."""
    texts = [_text(i) for i in range(4)]
    quoting = "".join(_text(i, 400) for i in range(10, 14)) + texts[1]
    pool = _documents([texts[0] + "and a word more", quoting, _text(20)])
    kept, references = keep_apart(pool, {"r": _documents(texts)}, most=0.2)
    assert [document.text for document in kept] == [quoting, _text(20)]
    assert [document.text for document in references["r"]] == [texts[0], texts[2], texts[3]]


def test_old_formulas_give_what_they_gave() -> None:
    """Values of version 1 of the scores, in 65,535ths, for prose, mathematics and nothing."""
    found = old_scores(measure_signals(pa.array(_OLD_TEXTS), pa.array(["en"] * 4)))
    stored = {name: np.floor(values * 65535 + 0.5).astype(int).tolist() for name, values in found.items()}
    assert stored == _OLD_SCORES


def test_every_arm_takes_the_same_number_of_tokens() -> None:
    """The best first, ties by key, the last cut at the budget; what is NaN is never taken; the order of reading is not the order of wishes."""
    documents = _documents([_text(i) for i in range(20)])
    ids = [np.arange(9, dtype=np.uint16)] * 20  # ten tokens each with the end
    wish = np.arange(20.0)
    wish[19] = np.nan
    choice = choose(wish, documents, ids, range(20), 75, 1)
    assert sorted(choice.places) == list(range(11, 19))
    assert sum(choice.n_tokens) == 75
    assert dict(zip(choice.places, choice.n_tokens, strict=True))[11] == 5
    assert choice.places not in (sorted(choice.places), sorted(choice.places)[::-1])
    tied = choose(np.zeros(20), documents, ids, range(20), 30, 1)
    assert sorted(documents[place].key for place in tied.places) == sorted(document.key for document in documents)[:3]
    assert sum(choose(wish, documents, ids, [3, 4], 75, 1).n_tokens) == 20


def test_the_small_vocabulary_keeps_every_byte() -> None:
    """Ids are below its size, and their bytes are the text's."""
    vocabulary = small_vocabulary(300)
    text = "Δ the theory\n"
    ids = encode_documents(_documents([text]), vocabulary)[0]
    data, offsets = vocabulary.token_bytes, vocabulary.token_offsets
    assert b"".join(data[offsets[i] : offsets[i + 1]].tobytes() for i in ids.tolist()).decode() == text
    assert ids.max() < 300
    assert len(ids) < len(text.encode())


def test_bits_are_those_of_every_id_and_every_end(programs: Path) -> None:
    """One line a document goes to KenLM, and what it says is told apart by reference text again."""
    train = [np.array([1, 2, 2], np.uint16), np.array([2], np.uint16)]
    references = {"a": [np.array([2], np.uint16), np.array([3], np.uint16)], "b": [np.array([1], np.uint16)]}
    found = judge(programs, train, references, order=3, n_ids=8)
    # Of 6 ids and ends, 3 are id 2, 2 are ends, 1 is id 1; one is added for each of 8 ids and the end.
    seen, end, once, never = 4 / 15, 3 / 15, 2 / 15, 1 / 15
    assert found["a"] == pytest.approx(-math.log2(seen * end * never * end))
    assert found["b"] == pytest.approx(-math.log2(once * end))


def test_intervals_are_students_over_paired_seeds() -> None:
    """Half widths by the table of Student's t (4.303 for two degrees of freedom); differences are taken seed by seed."""
    assert interval([1.0, 2.0, 3.0]) == {"mean": 2.0, "half_width": round(4.30265 / math.sqrt(3), 4)}
    assert interval([1.0])["half_width"] is None
    losses = {
        "random": [{"x": 2.0, "y": 4.0}, {"x": 3.0, "y": 5.0}],
        "better": [{"x": 1.0, "y": 4.0}, {"x": 2.0, "y": 5.0}],
    }
    found = summary(losses, {"x": "prose", "y": "prose"})
    assert found["texts"]["x"]["better"]["against_random"] == {"mean": -1.0, "half_width": 0.0}
    assert found["classes"]["prose"]["better"]["against_random"] == {"mean": -0.5, "half_width": 0.0}
    assert markdown(found, ["random", "better"]).splitlines()[2:4] == [
        "| **prose** | 3.500 | -0.500 ± 0.000 |",
        "| x | 2.500 | -1.000 ± 0.000 |",
    ]


def test_the_whole_ablation_runs_small_and_remembers(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every arm spends the same budget; peers that are not there are named with the reason; a second run trains nothing and says the same."""
    shared = _shared(tmp_path / "shared")
    table = tmp_path / "table.md"
    arguments = [str(shared), str(tmp_path / "work"), "--small", "--kenlm", str(programs), "--no-install"]
    arguments += ["--environments", str(tmp_path), "--markdown", str(table)]
    main(arguments)
    report = json.loads(capsys.readouterr().out)
    assert "switched off" in report["datatrove"]["reason"]
    assert "switched off" in report["transformer"]["reason"]
    assert {tuple(choice["tokens"]) for choice in report["choices"].values()} == {(4000, 4000)}
    assert all(len(sha256) == 64 for sha256 in report["models_of_the_new_scores"].values())
    arms = report["ngram"]["arms"]
    assert "datatrove" not in arms
    assert {"random", "new_knowledge_density", "old_knowledge_density", "longest"} <= set(arms)
    assert set(report["ngram"]["texts"]) == set(report["references"])
    assert table.read_text().startswith("ngram:\n\n| bits per byte | random |")
    calls = (programs / "lmplz.calls").read_text()
    assert 0 < len(calls) <= 2 * len(arms)
    main(arguments)
    assert json.loads(capsys.readouterr().out)["ngram"] == report["ngram"]
    assert (programs / "lmplz.calls").read_text() == calls
