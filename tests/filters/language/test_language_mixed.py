"""What ``language`` says beyond lid.176: languages that are alike, short texts, mixed documents, other languages, noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.filters.language.identify import LANGUAGES, LanguageModel, identify, load_model
from headwater.filters.language.mixture import find_mixtures, group_tags
from headwater.filters.language.segments import MOST_SEGMENTS, SEGMENT_BYTES, find_segments
from headwater.filters.language.windows import find_windows

ENGLISH = "The council met on Tuesday to talk about the new bridge, and most of those who came were against it. "
JAPANESE = "市議会は火曜日に新しい橋について話し合いましたが、集まった人の多くは反対しました。"
KOREAN = "시의회는 화요일에 새 다리에 대해 논의했고 참석한 사람들 대부분은 반대했습니다. "
FRENCH = "Le conseil s'est réuni mardi pour parler du nouveau pont, et la plupart des gens étaient contre. "


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """Both models."""
    return load_model()


def _languages(texts: list[str], model: LanguageModel) -> list[str]:
    found: list[str] = identify(pa.array(texts, pa.large_string()), model)["language"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jeg vet ikke hva som skjedde, men politiet har bedt alle som så noe om å ta kontakt.", "no"),
        ("Jeg ved ikke, hvad der skete, men politiet har bedt alle, der så noget, om at henvende sig.", "da"),
        ("Jag vet inte vad som hände, men polisen har bett alla som såg något att höra av sig.", "sv"),
        ("Eg veit ikkje kva som hende, men politiet har bede alle som såg noko om å ta kontakt.", "nn"),
        ("Saya tidak tahu apa yang terjadi karena saya sedang berada di luar kota waktu itu.", "id"),
        ("Kerajaan akan memberikan bantuan kewangan kepada rakyat yang terjejas akibat banjir.", "ms"),
        ("I no sabi wetin happen, but police don tell everybody wey see anything make dem come.", "pcm"),
        ("警方表示他们正在调查这起事故的原因", "zh"),
        ("警察は事故の原因を調べている", "ja"),
        ("Nie viem, čo sa stalo, ale polícia požiadala všetkých, ktorí niečo videli, aby sa ozvali.", "sk"),
        ("مجھے نہیں معلوم کہ کیا ہوا لیکن پولیس نے سب سے رابطہ کرنے کو کہا ہے۔", "ur"),
    ],
)
def test_language_of_close_pairs(text: str, expected: str, model: LanguageModel) -> None:
    """A plain sentence of a language that has a twin gets its own tag."""
    assert _languages([text], model) == [expected]


@pytest.mark.parametrize("text", ["1234 5678 90", "😀😀😀 🎉🎉", "!!! ??? ...", "—", "٣٤٥ ٦٧٨", "\u0301" * 50])
def test_language_of_noise(text: str, model: LanguageModel) -> None:
    """Digits, emoji, punctuation and lone marks are undetermined."""
    assert _languages([text], model) == ["und"]


def test_language_of_mixed_documents(model: LanguageModel) -> None:
    """Two halves are ``mul`` with both shares, by paragraphs or in one block; the score is a confidence."""
    texts = [
        ENGLISH * 6 + "\n" + JAPANESE * 12,
        (ENGLISH * 5 + "\n" + JAPANESE * 6 + "\n") * 2,
        FRENCH * 8 + ENGLISH * 8,
    ]
    for row, second in zip(identify(pa.array(texts), model).to_pylist(), ["ja", "ja", "fr"], strict=True):
        assert row["language"] == "mul"
        assert set(dict(row["language_shares"])) == {"en", second}
        assert min(dict(row["language_shares"]).values()) > 0.2
        assert sum(dict(row["language_shares"]).values()) <= 1.0 + 1e-6
        assert row["language_score"] > 0.8


def test_language_of_guests_in_a_document(model: LanguageModel) -> None:
    """A menu line, a name and one quoted sentence of another language leave a document in its own."""
    texts = [
        "Home | About | Contact | Privacy policy\n" + KOREAN * 12,
        KOREAN * 6 + "“" + ENGLISH.strip() + "” " + KOREAN * 6,
        FRENCH * 5 + "Ludwig Wittgenstein, Tractatus logico-philosophicus. " + FRENCH * 5,
    ]
    found = identify(pa.array(texts), model)
    assert found["language"].to_pylist() == ["ko", "ko", "fr"]
    assert found["language_shares"].null_count == 3


def test_language_of_code(model: LanguageModel) -> None:
    """A source file is not mixed, whatever its comments are written in."""
    lines = [
        "def add(first, second):",
        "    # Add two numbers and return the sum of both.",
        "    return first + second",
        "",
    ]
    assert _languages(["\n".join(lines) * 20], model) != ["mul"]


def test_language_mixture_by_hand() -> None:
    """Worked example: 60 letters of one language and 40 of another are mixed; languages that are alike are one; unsure segments count for none."""
    tags = ["en", "ja", "no", "da", "und"]
    owners = np.array([0, 0, 1, 1, 2, 2])
    labels = np.array([0, 1, 2, 3, 0, 1])
    probabilities = np.array([1.0, 0.9, 1.0, 1.0, 1.0, 0.7], np.float32)
    letters = np.array([60, 40, 60, 40, 60, 40])
    found = find_mixtures(owners, labels, probabilities, letters, tags, group_tags(tags))
    assert list(found) == [0]
    assert found[0].shares == {"en": 0.6, "ja": 0.4}
    assert found[0].score == pytest.approx(0.96)


@settings(max_examples=200, deadline=None)
@given(
    unit=st.sampled_from(["a", "é", "漢", "😀", "word ", "слово\n", "\n", "\0"]),
    n=st.integers(0, 6_000),
    shift=st.integers(0, 5),
)
def test_language_segments_lie_within_windows(unit: str, n: int, shift: int) -> None:
    """Segments follow each other, lie in the document and are few; a text that is not longer than two is covered."""
    data = np.frombuffer(("z" * shift + unit * (n // len(unit.encode()))).encode() or b"\n", np.uint8)
    windows = find_windows(data, np.array([0, len(data)]))
    for survey, most in ((True, 3), (False, max(MOST_SEGMENTS, 3 * 1024 // SEGMENT_BYTES))):
        segments, owners = find_segments(data, windows, np.array([0]), survey=survey)
        assert 1 <= len(segments) <= most
        assert not owners.any()
        assert (segments[:, 0] < segments[:, 1]).all()
        assert (segments[1:, 0] >= segments[:-1, 1]).all() or survey
        assert segments[:, :2].min() >= 0
        assert segments[:, :2].max() <= len(data)
        if len(data) <= SEGMENT_BYTES:
            assert int((segments[:, 1] - segments[:, 0]).sum()) == len(data)


@settings(max_examples=60, deadline=None)
@given(data=st.lists(st.text(max_size=700), min_size=1, max_size=6))
def test_language_does_not_depend_on_the_batch(data: list[str]) -> None:
    """A document's columns are the same alone and beside others."""
    models = load_model()
    texts = pa.array(data, pa.large_string())
    whole = identify(texts, models)
    for row in range(len(data)):
        assert identify(texts.slice(row, 1), models) == whole.slice(row, 1)


def test_language_of_adversarial_text(model: LanguageModel) -> None:
    """A megabyte of one character, of marks, of line feeds, without spaces: an answer, and no more read than of any long text."""
    texts = [
        "a" * 1_000_000,
        "\u0301" * 500_000,
        "\n" * 1_000_000,
        "漢" * 300_000,
        "😀" * 250_000,
        "\u202e\u202d" * 150_000,
    ]
    assert len(_languages(texts, model)) == len(texts)
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    segments, _ = find_segments(data, find_windows(data, np.array([0, len(data)])), np.array([0]), survey=False)
    assert len(segments) <= 3 * 1024 // SEGMENT_BYTES


def test_language_of_corpus_neighbours(model: LanguageModel, real_text_files: list[Path]) -> None:
    """At most 4 % of raw lines of languages beside the 30 (headings, English names and all) are taken for one of the 30."""
    folder = real_text_files[0].parents[2] / "neighbours"
    taken = [0.0]
    for path in sorted(folder.glob("*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            texts = [json.loads(line)["text"] for line in stream.read().splitlines()[1::2]]
        lines = sorted(
            {
                line
                for text in texts
                for line in text.splitlines()
                if sum(map(str.isalpha, line)) > 60 and "`" not in line
            }
        )
        found = identify(pa.array(lines[:: max(1, len(lines) // 150)], pa.large_string()), model).to_pylist()
        own = [row["language"] in LANGUAGES for row in found if row["lid_label"] != "en"]
        if not path.name.startswith("pcm"):  # English to lid.176
            taken.append(sum(own) / len(own))
    assert sum(taken) <= 0.04 * len(taken)
