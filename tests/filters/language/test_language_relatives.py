"""Languages that are written alike: the model of relatives and the words of Malay and Indonesian."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from headwater.buffers import text_buffers
from headwater.filters.language.identify import LANGUAGES, identify, load_model
from headwater.filters.language.malay import BITS, MOST, UNIT, read_weights, weigh_words
from headwater.filters.language.mixture import group_tags
from headwater.filters.language.names import TAGS
from headwater.filters.language.relatives import PRIORS, Relatives, weigh_relatives


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (
            "Kerajaan mengumumkan bahawa syarikat itu perlu membayar cukai sebanyak lima peratus mulai bulan Julai.",
            "ms",
        ),
        (
            "Pemerintah mengumumkan bahwa perusahaan itu harus membayar pajak sebesar lima persen mulai bulan Juli.",
            "id",
        ),
        ("Regjeringen sier at selskapet ikke har betalt skatten, og at saken nå skal etterforskes av politiet.", "no"),
        ("Regeringen siger, at selskabet ikke har betalt skatten, og at sagen nu skal efterforskes af politiet.", "da"),
        ("O governo disse que a empresa não pagou os impostos e que a polícia vai agora investigar o caso.", "pt"),
        ("O goberno dixo que a empresa non pagou os impostos e que a policía vai agora investigar o caso.", "gl"),
        ("Vláda uvedla, že společnost nezaplatila daně a že případ nyní bude vyšetřovat policie.", "cs"),
        ("Vláda uviedla, že spoločnosť nezaplatila dane a že prípad teraz bude vyšetrovať polícia.", "sk"),
        (
            "De regering zei dat het bedrijf geen belasting heeft betaald en dat de politie de zaak gaat onderzoeken.",
            "nl",
        ),
        (
            "Die regering het gesê dat die maatskappy nie belasting betaal het nie en dat die polisie dit sal ondersoek.",
            "af",
        ),
    ],
)
def test_close_languages(text: str, tag: str) -> None:
    """News in languages with close relatives is in the language that it is in."""
    found = identify(pa.array([text]), load_model())
    assert found["language"].to_pylist() == [tag]


def _segments(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    segments = np.zeros((len(texts), 6), dtype=np.int64)
    segments[:, 0], segments[:, 1] = offsets[:-1], offsets[1:]
    return data, segments


def test_words_are_added_up() -> None:
    """Each word counts, what is no letter and case do not; the sum is cut off."""
    weights = np.full(1 << BITS, 3, np.int8)
    data, segments = _segments(["kerana", "Kerana, KERANA!", "", "123 é", "kerana " * 200])
    found = weigh_words(data, segments, np.arange(5), 5, weights)
    assert found.tolist() == pytest.approx([3 * UNIT, 6 * UNIT, 0, 0, MOST])


def test_words_of_either_language() -> None:
    """The weights that ship are positive for Malay words and negative for Indonesian ones, in any case."""
    _, weights = read_weights()
    assert weights.shape == (1 << BITS,)
    assert weights.dtype == np.int8
    data, segments = _segments(["kerana", "KERANA", "kewangan", "karena", "keuangan"])
    once, same, money, *indonesian = weigh_words(data, segments, np.arange(5), 5, weights).tolist()
    assert once == same
    assert min(once, money) > 0 > max(indonesian)


def test_segments_of_one_document_are_added_up() -> None:
    """A document's sum is that of its segments."""
    _, weights = read_weights()
    data, segments = _segments(["bahawa", "karena"])
    both = weigh_words(data, segments, np.zeros(2, np.int64), 1, weights)
    apart = weigh_words(data, segments, np.arange(2), 2, weights)
    assert both[0] == pytest.approx(apart.sum(), abs=1e-6)


def test_only_labels_of_the_group_get_a_bonus() -> None:
    """What the model does not know, and what is not asked about, stays as it is."""
    model = load_model()
    groups = group_tags(model.own_labels)
    kernel, relatives = model.relatives_kernel, model.relatives
    sums = np.zeros((2, kernel.dim), np.float32)
    asked = groups[[model.own_labels.index("cs")] * 2]
    bonuses = weigh_relatives(sums, np.array([0, 3]), asked, kernel, relatives, len(model.own_labels))
    assert not bonuses[0].any()
    assert {model.own_labels[place] for place in np.flatnonzero(bonuses[1])} <= {"cs", "sk"}
    assert bonuses[1].any()


def test_labels_and_priors() -> None:
    """Every relative is a label of the first model with another in its group; priors are of relatives."""
    model = load_model()
    known = {model.own_labels[place] for place in model.relatives.places}
    assert known <= TAGS
    assert set(PRIORS) <= known
    assert all(model.relatives.known[place] for place in model.relatives.places)
    assert {tag for group in ("no da sv", "es pt", "id", "cs", "nl") for tag in group.split()} <= known & set(LANGUAGES)
    with pytest.raises(ValueError, match="not in"):
        Relatives(["none"], list(model.own_labels), group_tags(model.own_labels))
