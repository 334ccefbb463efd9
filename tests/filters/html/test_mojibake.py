"""Mojibake is a share of the text where UTF-8 was read as something else, and nothing where a language only looks like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import first_texts

from headwater.filters.html.charset import decode
from headwater.filters.html.mojibake import MOST, mojibake_share

_SENTENCES = {
    "de": "Über den Fluß führt eine schöne Brücke, an der täglich viele Züge vorüberfahren.",
    "fr": "Le café où nous étions assis était déjà fermé, et la forêt s’étendait derrière.",
    "es": "El niño soñó que volaría más allá de la montaña, según contó después.",
    "pt": "A educação não é só informação: às vezes é a própria mudança de opinião.",
    "pl": "Zażółć gęślą jaźń, powiedział ktoś, i wszyscy się śmiali przez całą noc.",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy, až se celá vesnice smála.",
    "tr": "Güneş doğarken çocuklar ağaçların altında şarkı söylüyordu.",
    "vi": "Mọi người đều biết rằng tiếng Việt có rất nhiều dấu thanh.",
    "ru": "Весной река вышла из берегов, и старый мост закрыли на ремонт.",
    "uk": "Рік тому в січні тут стояла хата, а її ґанок бачили здалеку.",
    "el": "Το πρωί η θάλασσα ήταν ήρεμη και τα καΐκια έφευγαν ένα ένα.",
    "ar": "في الصباح كان البحر هادئا وكانت القوارب تغادر الواحد تلو الآخر.",
    "he": "בבוקר היה הים שקט והסירות יצאו אחת אחרי השנייה אל האופק.",
    "zh": "早上大海很平静，小船一艘接一艘地离开了港口，人们站在岸边看着它们。",
    "ja": "朝の海は静かで、小さな船が次々と港を出て行きました。",
    "ko": "아침 바다는 고요했고 작은 배들이 하나씩 항구를 떠났다.",
    "th": "ตอนเช้าทะเลสงบ เรือเล็กออกจากท่าเรือทีละลำ",
}
_READ_AS = {
    **dict.fromkeys(("pl", "cs"), "windows-1250"),
    **dict.fromkeys(("ru", "uk"), "windows-1251"),
    "el": "windows-1253",
    "he": "windows-1255",
    "ar": "windows-1256",
    "zh": "GBK",
}


@pytest.mark.parametrize("language", _SENTENCES)
def test_utf8_read_as_another_encoding(language: str) -> None:
    """In each language the sentence itself has none; read as windows-1252, latin-1 or the language's old encoding it has, and read so twice."""
    text = _SENTENCES[language]
    assert mojibake_share(text) == 0
    assert mojibake_share(text + "\n" + text) == 0
    wrong = [decode(text.encode(), "windows-1252"), text.encode().decode("latin-1")]
    if language in _READ_AS:
        wrong.append(decode(text.encode(), _READ_AS[language]))
    wrong.append(decode(wrong[0].encode(), "windows-1252"))
    least = MOST // 3 if language in ("ru", "uk", "el", "ar", "he", "zh", "ja", "ko", "th") else MOST // 40
    assert all(mojibake_share(each) > least for each in wrong), [mojibake_share(each) for each in wrong]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "CAFÉ— BAR “À LA CARTE” … «ÉTÉ» NESCAFÉ® CITROËN™",
        "Il a été\u00a0» dit\u00a0: «\u00a0là…\u00a0» et «\u00a0déjà\u00a0»\u00a0!",
        "A EDUCAÇÃO — NÃO” é “opção” … SÃO PAULO’S",
        "ÞAÐ— ER SATT”, SAGÐI HÚN … Ð“ Ñ”",
        "ÑANDÚ… ESPAÑA” — Ñ’",
        "Ä… Å– Ä“ Ü— Ö” ÄÄ ÅÅ ÆØÅ…",
        "Рік, січень, «Рідна мова» Сјевер, Рјечник, Рђаво, СЁМГА… С… С» Р’ С—",
        "Ξ” Ο… Ο» ΞΈ ΟΉ",
        "حفظ» لفظ… خطؤ، حظ؛ لحظ‌ها",
        "Ă” ROMÂNIA… ŢĂRI— Â“",
        "ĀĒ ēä 1×½ N° 5€ ½",
        "中文网页的内容很多，大家都在看，的是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里",
    ],
)
def test_real_text_that_looks_alike(text: str) -> None:
    """Capital letters before dashes and quotes, French spaces, Serbian and Ukrainian letters, trade marks: nothing."""
    assert mojibake_share(text) == 0


def test_quoted_mojibake_is_a_small_share() -> None:
    """A page that tells of mojibake and quotes it has as much as it quotes."""
    page = (
        "Text in UTF-8 that is read as windows-1252 shows “Ã©” for é and “â€™” for an apostrophe. "
        + "It is a long page. " * 100
    )
    assert 0 < mojibake_share(page) < MOST // 200


def test_the_share_is_of_characters() -> None:
    """Two characters of four, spaces apart; marks of replacement that were read wrongly too."""
    assert mojibake_share("a b Ã©") == MOST * 2 // 4
    assert mojibake_share("ï¿½ï¿½") == MOST
    assert mojibake_share("ðŸ˜€") == MOST


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_has_a_share(text: str) -> None:
    """Between none and all of it."""
    assert 0 <= mojibake_share(text) <= MOST


def test_real_documents_have_none(real_text_files: list[Path]) -> None:
    """Of real documents of all languages, hardly any has a thousandth; each that is read wrongly has more."""
    shares, wrong = [], []
    for path in real_text_files[:: max(1, len(real_text_files) // 60)]:
        for text in first_texts(path, 60_000)[:8]:
            shares.append(mojibake_share(text))
            if sum(character > "\x7f" for character in text) * 100 > len(text):
                wrong.append(mojibake_share(text.encode().decode("latin-1")))
    assert np.mean(np.array(shares) > MOST // 1000) < 0.01
    assert np.mean(np.array(wrong) > MOST // 1000) > 0.97
