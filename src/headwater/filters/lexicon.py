"""Word lists of the 30 languages: stop words, reasoning connectives and words that open a step.

Written for Headwater from the grammar of each language; small on purpose, since Gopher asks only for two distinct stop
words. A word is matched as written and with a capital first letter. In Chinese, Japanese and Thai an entry is matched
wherever its characters stand, since the cut into units knows no words.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.words import hash_word

__all__ = ["CONNECTIVE", "CONNECTIVES", "STEP", "STEP_WORDS", "STOP", "STOP_WORDS", "Lexicon", "load_lexicon"]

STOP: Final = 1
CONNECTIVE: Final = 2
STEP: Final = 4

UNSPACED: Final = ("zh", "ja", "th")

STOP_WORDS: Final[dict[str, str]] = {
    "en": "the be to of and that have with",
    "zh": "的 是 在 不 了 有 和 这 也 就 与 為 为 之 以 而",
    "es": "de la que el en y los se del las un por con una para",
    "fr": "de la le et les des en un du une que est dans qui par pour",
    "de": "der die und in den von zu das mit sich des auf für ist im",
    "pt": "de a o que e do da em um para com não uma os no",
    "it": "di e il la che in un per è una del non sono della con",
    "ru": "и в не на что с по как из к это для от но",
    "ja": "の に は を た が で て と し も な です ます",
    "ko": "이 그 및 수 있는 등 것 있다 있습니다 합니다 또는 하는 위해 대한",
    "ar": "في من على إلى أن عن هذا ما مع هذه التي الذي لا كان",
    "hi": "के में की है और से का को पर यह हैं कि एक लिए",
    "vi": "và của các là có được trong cho một không với những để này",
    "th": "ที่ และ ใน ของ การ เป็น ได้ ให้ มี จะ ไม่ ว่า กับ คุณ",
    "id": "yang dan di untuk dengan dari ini dalam pada itu tidak adalah ke akan",
    "tr": "ve bir bu için ile de da olarak olan daha çok ne gibi her",
    "pl": "w i na z do się nie jest to że o jak po od dla",
    "nl": "de het een van en in is dat op te voor met zijn die niet",
    "uk": "і в на не з до що у та як для за це від",
    "cs": "a v se na je že s z do o pro jako k by",
    "sv": "och i att det som en på är av för med till den inte ett",
    "no": "og i det som en er på til av for med at ikke et den",
    "da": "og i at det er en til af på for med som den ikke der",
    "fi": "ja on ei se että oli ovat tai kun jos voi sekä myös ole",
    "ro": "de și în a la cu o un pe care nu este din pentru să",
    "hu": "a az és hogy nem egy is ez meg van csak de vagy ha",
    "el": "και το να του η της με που την για από στο είναι ο",
    "he": "של את על לא זה עם הוא או גם כי אל אם כל היא",
    "fa": "و در به از که این را با است برای آن یک می تا",
    "bn": "এবং ও না করে এই জন্য একটি থেকে হয় করা এর যে আপনার তার",
}

CONNECTIVES: Final[dict[str, str]] = {
    "en": "because therefore thus hence since so if then implies suppose assume consequently however although "
    "whereas first second finally next let",
    "zh": "因为 所以 因此 如果 那么 由于 从而 假设 然而 但是 首先 其次 最后 于是 可得",
    "es": "porque entonces luego así si pues aunque supongamos primero finalmente tanto implica además embargo",
    "fr": "car donc ainsi si alors puisque parce supposons cependant ensuite enfin soit implique afin",
    "de": "weil daher also somit denn wenn dann folglich angenommen jedoch deshalb zuerst schließlich sei",
    "pt": "porque então portanto logo assim se pois embora suponha primeiro finalmente implica porém",
    "it": "perché quindi dunque allora se poiché supponiamo tuttavia infine prima poi così implica",
    "ru": "потому поэтому следовательно если то так значит пусть однако сначала затем наконец итак",
    "ja": "なぜなら したがって よって だから もし ならば しかし まず 次に 最後に そこで ゆえに ため",
    "ko": "왜냐하면 따라서 그러므로 만약 그러면 하지만 먼저 다음 마지막으로 때문에 그래서 즉",
    "ar": "لأن لذلك إذا إذن بما لكن أولا ثانيا أخيرا ثم وبالتالي حيث",
    "hi": "क्योंकि इसलिए अतः यदि तो मान लेकिन पहले फिर अंत चूंकि",
    "vi": "vì nên nếu thì do suy giả tuy nhưng cuối",
    "th": "เพราะ ดังนั้น ถ้า หาก แต่ สมมติ เนื่องจาก สุดท้าย",
    "id": "karena maka jadi jika sehingga misalkan namun pertama kemudian akhirnya sebab oleh",
    "tr": "çünkü bu nedenle öyleyse eğer ise o halde ancak önce sonra dolayısıyla varsayalım",
    "pl": "ponieważ więc zatem jeśli jeżeli to załóżmy jednak najpierw następnie stąd dlatego",
    "nl": "omdat dus daarom als dan want stel echter eerst vervolgens tenslotte hierdoor",
    "uk": "тому якщо то отже оскільки нехай проте спочатку потім нарешті бо",
    "cs": "protože proto tedy pokud pak jestliže nechť však nejprve potom nakonec tudíž",
    "sv": "eftersom därför alltså om så därmed antag men först sedan slutligen således",
    "no": "fordi derfor altså hvis så dermed anta men først deretter dersom",
    "da": "fordi derfor altså hvis så dermed antag men først derefter endelig",
    "fi": "koska siksi joten jos niin oletetaan kuitenkin ensin sitten lopuksi siis",
    "ro": "deoarece deci dacă atunci astfel fiindcă presupunem totuși întâi apoi prin urmare",
    "hu": "mert ezért tehát ha akkor így mivel tegyük azonban először majd végül",
    "el": "διότι επειδή άρα αν τότε συνεπώς έστω όμως πρώτα έπειτα τέλος επομένως",
    "he": "משום לכן אם אז לפיכך נניח אבל תחילה לבסוף מכאן כיוון",
    "fa": "زیرا بنابراین اگر پس چون آنگاه فرض اما ابتدا سپس نتیجه",
    "bn": "কারণ তাই যদি তাহলে সুতরাং অতএব ধরি কিন্তু প্রথমে তারপর অবশেষে",
}

STEP_WORDS: Final[dict[str, str]] = {
    "en": "step first second third finally",
    "zh": "步骤 第一 第二 第三",
    "es": "paso", "fr": "étape", "de": "Schritt", "pt": "passo etapa", "it": "passo passaggio", "ru": "шаг",
    "ja": "手順 ステップ", "ko": "단계", "ar": "الخطوة", "hi": "चरण", "vi": "bước", "th": "ขั้น", "id": "langkah",
    "tr": "adım", "pl": "krok", "nl": "stap", "uk": "крок", "cs": "krok", "sv": "steg", "no": "trinn steg", "da": "trin",
    "fi": "vaihe", "ro": "pasul", "hu": "lépés", "el": "βήμα", "he": "שלב", "fa": "مرحله گام", "bn": "ধাপ",
}  # fmt: skip

_SLOTS: Final = 512
_MASK: Final = _SLOTS - 1


class Lexicon(NamedTuple):
    """The word lists as tables for kernels; row 0 is for every language without lists, and empty.

    Attributes:
        keys: uint64 (rows, 512), open addressing by the low bits of a word's hash; 0 where empty.
        kinds: uint8 (rows, 512), bits STOP, CONNECTIVE, STEP.
        entries: uint8 (rows, 512), the number of the stop word in its list, the same for its capitalised form.
        unspaced: uint8 (rows,), 1 where words are matched at every character.
        starts: uint8 (rows, 256), 1 where an unspaced word may begin with a code point of these low bits.
    """

    keys: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]
    entries: npt.NDArray[np.uint8]
    unspaced: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.uint8]


@functools.cache
def load_lexicon() -> tuple[Lexicon, dict[str, int]]:
    """Return the tables and the row of each language; other languages have row 0."""
    rows = {language: row for row, language in enumerate(STOP_WORDS, 1)}
    n = len(rows) + 1
    lexicon = Lexicon(
        keys=np.zeros((n, _SLOTS), np.uint64),
        kinds=np.zeros((n, _SLOTS), np.uint8),
        entries=np.zeros((n, _SLOTS), np.uint8),
        unspaced=np.zeros(n, np.uint8),
        starts=np.zeros((n, 256), np.uint8),
    )
    for language, row in rows.items():
        lexicon.unspaced[row] = language in UNSPACED
        for kind, lists in ((STOP, STOP_WORDS), (CONNECTIVE, CONNECTIVES), (STEP, STEP_WORDS)):
            for number, word in enumerate(lists[language].split()):
                for form in {word, word[0].upper() + word[1:]}:
                    _enter(lexicon, row, form, kind, number)
                lexicon.starts[row, ord(word[0]) & 255] = 1
    return lexicon, rows


def _enter(lexicon: Lexicon, row: int, word: str, kind: int, number: int) -> None:
    value = hash_word(word)
    slot = value & _MASK
    while int(lexicon.keys[row, slot]) not in (0, value):
        slot = (slot + 1) & _MASK
    lexicon.keys[row, slot] = value
    lexicon.kinds[row, slot] |= kind
    if kind == STOP:
        lexicon.entries[row, slot] = number
