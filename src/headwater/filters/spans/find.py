"""Spans: bytes of a sample that a build leaves out or masks; the text itself is never edited.

`c4_lines`, `noise_lines`, `policy_lines` and `refinedweb_lines` drop lines, each with its newline: what C4's and RefinedWeb's
line rules remove (`line_rules`), of C4's the lines with "javascript" or a phrase of a policy notice alone (`phrases`), and what a
model takes for noise, not text (`noise`). A line that several want belongs to the first of them by name.

`emails` masks e-mail addresses as FineWeb does: a local part of ASCII
letters, digits and . _ % + -, an @, and a domain of at least two labels whose last is two letters or more. What it loses:
quoted local parts, addresses in other alphabets, and more than 64 bytes of local part or 255 of domain are not found,
which keeps the search linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.buffers import text_buffers
from headwater.errors import ReconciliationError, UsageError
from headwater.filters.noise.judge import NoiseRoom, Trees, find_noise, make_noise_room
from headwater.filters.noise.model import load_noise_model
from headwater.filters.signals.line_rules import C4_REMOVED, REFINEDWEB_REMOVED, judge_line, read_phrases
from headwater.filters.signals.phrases import JAVASCRIPT, POLICY, find_byte, find_phrase
from headwater.filters.spans.operators import OPERATORS
from headwater.filters.spans.policy import DEFAULT_POLICY, Policy, decide_actions
from headwater.filters.text.characters import character_classes
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import Pieces, cut_tokens, make_pieces

__all__ = ["MASK", "OPERATORS", "SPAN_COLUMNS", "apply_spans", "find_spans", "without_spans"]

MASK: Final = "<masked>"
"""What stands in a shard for a span of action `mask`; it holds no address, so masking twice changes nothing."""

SPAN_COLUMNS: Final = ("operator", "span_begin", "span_end", "action")
"""What a build reads of family ``spans``."""

_NAMES: Final = tuple(sorted(OPERATORS))
_ACTIONS: Final = ["mask" if name == "emails" else "drop" for name in _NAMES]
_C4, _EMAILS, _NOISE, _POLICY, _REFINEDWEB = range(5)  # places in _NAMES: what kernels know an operator by
_LEAST_LINE, _LEAST_FOUND = 2, 6
"""Bytes of the shortest line that a rule drops, and of the shortest address; phrases are longer."""
_MASK_BYTES: Final = np.frombuffer(MASK.encode(), np.uint8)
_AT: Final = ord("@")
_MOST_LOCAL: Final = 64
_MOST_DOMAIN: Final = 255


def find_spans(texts: pa.Array | pa.ChunkedArray, operators: Sequence[str]) -> pa.RecordBatch:
    r"""Return the spans of the operators: row int32, operator, span_begin and span_end int64 (bytes), action.

    Sorted by row and begin and without overlap: an address inside a dropped line has no span of its own. Cost: one pass
    over the bytes at more than 1 GB/s; `c4_lines`, `noise_lines` and `refinedweb_lines` cut the text into tokens, as signals do. Memory:
    32 bytes a span; to cut, room as for signals.

    Raises:
        UsageError: an unknown operator, or 2^31 texts or more.

    >>> find_spans(pa.array(["Hi\nWe use cookies\nask me@example.org."]), ["emails", "policy_lines"]).to_pylist()[1]
    {'row': 0, 'operator': 'emails', 'span_begin': 22, 'span_end': 36, 'action': 'mask'}
    """
    if unknown := [name for name in operators if name not in OPERATORS]:
        raise UsageError(f"find_spans: expected operators among {', '.join(OPERATORS)}, found {', '.join(unknown)}")
    data, offsets = text_buffers(texts)
    n = len(offsets) - 1
    if n > np.iinfo(np.int32).max:
        raise UsageError(f"find_spans: expected at most 2^31 - 1 texts a batch, found {n}: pass smaller batches")
    wanted = np.array([name in operators for name in _NAMES])
    judging = bool(wanted[_C4] or wanted[_NOISE] or wanted[_REFINEDWEB])
    pieces = make_pieces(int(np.max(np.diff(offsets), initial=0)) if judging else 0)
    # A dropped line has a char and its newline, the last of a text perhaps none; a phrase or an address has six bytes or more.
    most = n + int(offsets[-1] - offsets[0]) // (_LEAST_LINE if judging else _LEAST_FOUND)
    found = np.empty((most, 4), np.int64)  # pages are touched only when used
    noisy = np.zeros(len(pieces.line_tokens), np.uint8)
    trees, room = load_noise_model().trees, make_noise_room()
    count = _search(data, offsets, character_classes(), pieces, trees, room, noisy, wanted, found)
    if count > most:
        raise ReconciliationError(f"find_spans: expected at most {most} spans, found {count}: a fault of Headwater")
    kinds = pa.array(found[:count, 1])
    return pa.RecordBatch.from_arrays(
        [
            pa.array(found[:count, 0].astype(np.int32)),
            pa.array(_NAMES, pa.string()).take(kinds),
            pa.array(found[:count, 2]),
            pa.array(found[:count, 3]),
            pa.array(_ACTIONS, pa.string()).take(kinds),
        ],
        names=["row", "operator", "span_begin", "span_end", "action"],
    )


@kernel
def _search(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    pieces: Pieces,
    trees: Trees,
    room: NoiseRoom,
    noisy: npt.NDArray[np.uint8],
    wanted: npt.NDArray[np.bool_],
    found: npt.NDArray[np.int64],
) -> int:
    """Write row, operator, begin and end of each span; return how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        if wanted[_C4] or wanted[_NOISE] or wanted[_REFINEDWEB]:
            cut_tokens(data, begin, end, classes, pieces)
            if wanted[_NOISE]:
                find_noise(pieces, classes, trees, room, noisy)
            after = _judge_lines(data, begin, end, classes, pieces, noisy, wanted, count, found)
        else:
            after = _find_policy_lines(data, begin, end, wanted, count, found)
        for i in range(count, min(after, len(found))):
            found[i, 0] = row
            found[i, 2] -= begin
            found[i, 3] -= begin
        count = after
    return count


@kernel
def _write(operator: int, begin: int, end: int, count: int, found: npt.NDArray[np.int64]) -> int:
    """Write a span while there is room, its bytes counted from the begin of `data`; return how many there are now."""
    if count < len(found):
        found[count, 1], found[count, 2], found[count, 3] = operator, begin, end
    return count + 1


@kernel
def _judge_lines(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    pieces: Pieces,
    noisy: npt.NDArray[np.uint8],
    wanted: npt.NDArray[np.bool_],
    count: int,
    found: npt.NDArray[np.int64],
) -> int:
    """Write the spans of a text that was cut, dropped lines by their rules; return how many there are now.

    `noisy`: 1 for lines that are noise, where `noise_lines` is wanted.
    """
    n_lines = pieces.totals[1]
    hit, hit_kind = begin - 1, 0
    done = begin
    for line in range(n_lines):
        if pieces.line_tokens[line] == pieces.line_tokens[line + 1]:
            continue
        line_begin = pieces.line_begins[line]
        line_end = pieces.line_begins[line + 1] if line + 1 < n_lines else end
        n_policy, n_javascript, _, cart, hit, hit_kind = read_phrases(data, line_begin, line_end, end, hit, hit_kind)
        policy = n_policy + n_javascript > 0
        judged = judge_line(data, classes, pieces, line, line_end, policy, cart)
        operator = -1
        if wanted[_C4] and judged & C4_REMOVED:
            operator = _C4
        elif wanted[_NOISE] and noisy[line]:
            operator = _NOISE
        elif wanted[_POLICY] and policy:
            operator = _POLICY
        elif wanted[_REFINEDWEB] and judged & REFINEDWEB_REMOVED:
            operator = _REFINEDWEB
        if operator >= 0:
            if wanted[_EMAILS]:
                count = _find_emails(data, done, line_begin, count, found)
            count = _write(operator, line_begin, line_end, count, found)
            done = line_end
    return _find_emails(data, done, end, count, found) if wanted[_EMAILS] else count


@kernel
def _find_policy_lines(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    wanted: npt.NDArray[np.bool_],
    count: int,
    found: npt.NDArray[np.int64],
) -> int:
    """Write the spans of `policy_lines` and `emails` of one text; return how many there are now."""
    done = begin
    while done < end:
        line_begin, line_end = end, end
        if wanted[_POLICY]:
            hit, kind = find_phrase(data, done, done, end)
            while hit < end and kind not in (POLICY, JAVASCRIPT):
                hit, kind = find_phrase(data, hit + 1, done, end)
            if hit < end:
                line_begin = hit
                while line_begin > done and data[line_begin - 1] != 10:
                    line_begin -= 1
                line_end = min(find_byte(data, hit, end, 10) + 1, end)
        if wanted[_EMAILS]:
            count = _find_emails(data, done, line_begin, count, found)
        if line_begin < end:
            count = _write(_POLICY, line_begin, line_end, count, found)
        done = line_end
    return count


@kernel
def _find_emails(data: npt.NDArray[np.uint8], begin: int, end: int, count: int, found: npt.NDArray[np.int64]) -> int:
    """Write the addresses of the bytes [begin, end); return how many spans there are now."""
    done = begin
    place = find_byte(data, begin, end, _AT)
    while place < end:
        first = _local_begin(data, place, done)
        last = _domain_end(data, place, end)
        if first < place and last > place:
            count = _write(_EMAILS, first, last, count, found)
            done = last
            place = last - 1
        place = find_byte(data, place + 1, end, _AT)
    return count


@kernel
def _is_alphanumeric(byte: np.uint8) -> bool:
    return bool(48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122)


@kernel
def _local_begin(data: npt.NDArray[np.uint8], at: int, begin: int) -> int:
    """Return where the local part before the @ at `at` begins, `at` itself if there is none; not before `begin`."""
    first = at
    while first > begin and at - first < _MOST_LOCAL:
        byte = data[first - 1]
        if not (_is_alphanumeric(byte) or byte in (46, 95, 37, 43, 45)):  # . _ % + -
            break
        first -= 1
    while first < at and not _is_alphanumeric(data[first]):
        first += 1
    return first


@kernel
def _domain_end(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Return the end of the domain after the @ at `at`, `at` itself if there is none; not after `end`."""
    place = at + 1
    label = place  # begin of the label being read
    letters_only = True
    last = at
    labels = 0
    while place <= end and place - at <= _MOST_DOMAIN:
        byte = data[place] if place < end else np.uint8(0)
        if _is_alphanumeric(byte) or byte == 45:
            if byte < 65:
                letters_only = False
            place += 1
            continue
        if place == label:
            break
        if labels and letters_only and place - label >= 2:
            last = place
        labels += 1
        if byte != 46:
            break
        place += 1
        label = place
        letters_only = True
    return last


def apply_spans(
    texts: pa.Array | pa.ChunkedArray,
    rows: npt.NDArray[np.int64],
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    actions: Sequence[str] | pa.Array,
) -> pa.LargeStringArray:
    """Return each text without its spans: `drop` leaves bytes out, `mask` puts `MASK` in their place.

    Spans as `find_spans` gives them: sorted by row and begin, not overlapping. A null text gives an empty one.

    Raises:
        UsageError: unequal lengths, an unknown action, a row that is not there, or spans that are unsorted, overlap,
            reach beyond their text or cut a character.

    >>> apply_spans(pa.array(["ab cd"]), [0, 0], [0, 3], [1, 5], ["drop", "mask"]).to_pylist()
    ['b <masked>']
    """
    data, offsets = text_buffers(texts)
    n_spans = len(rows)
    names = actions.to_pylist() if isinstance(actions, pa.Array | pa.ChunkedArray) else list(actions)
    if not (n_spans == len(begins) == len(ends) == len(names)):
        raise UsageError("apply_spans: expected rows, begins, ends and actions of equal length")
    if unknown := set(names) - {"drop", "mask"}:
        raise UsageError(
            f"apply_spans: expected the actions drop and mask, found {', '.join(sorted(map(str, unknown)))}"
        )
    spans = np.empty((n_spans, 4), np.int64)
    for column, values in enumerate((rows, begins, ends, [name == "mask" for name in names])):
        spans[:, column] = np.asarray(values, np.int64)
    bad = _first_bad_span(data, offsets, spans)
    if bad >= 0:
        row, begin, end, _ = spans[bad].tolist()
        raise UsageError(
            f"apply_spans: expected sorted spans that do not overlap, inside their text, at borders of characters; "
            f"found bytes {begin} to {end} of row {row} (span {bad}): the spans belong to another text or order"
        )
    lengths = np.diff(offsets)
    changes = np.where(spans[:, 3] == 1, len(_MASK_BYTES), 0) - (spans[:, 2] - spans[:, 1])
    np.add.at(lengths, spans[:, 0], changes)
    new_offsets = np.zeros(len(offsets), np.int64)
    np.cumsum(lengths, out=new_offsets[1:])
    new_data = np.empty(int(new_offsets[-1]), np.uint8)
    _copy(data, offsets, spans, _MASK_BYTES, new_data)
    return pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(new_offsets), pa.py_buffer(new_data))


@kernel
def _first_bad_span(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], spans: npt.NDArray[np.int64]) -> int:
    """Return the first span that breaks the rules of `apply_spans`, -1 if none does."""
    row_before, end_before = -1, 0
    for i in range(len(spans)):
        row, begin, end = spans[i, 0], spans[i, 1], spans[i, 2]
        if row < row_before or row < 0 or row >= len(offsets) - 1:
            return i
        text_begin, length = offsets[row], offsets[row + 1] - offsets[row]
        lowest = end_before if row == row_before else 0
        if begin < lowest or end < begin or end > length:
            return i
        for edge in (begin, end):
            if edge < length and data[text_begin + edge] & 0xC0 == 0x80:
                return i
        row_before, end_before = row, end
    return -1


@kernel
def _copy(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    mask: npt.NDArray[np.uint8],
    target: npt.NDArray[np.uint8],
) -> None:
    """Copy the texts to `target` without their spans; the spans have been checked."""
    to, span = 0, 0
    for row in range(len(offsets) - 1):
        at = offsets[row]
        while at < offsets[row + 1] or (span < len(spans) and spans[span, 0] == row):
            stop = offsets[row + 1]
            if span < len(spans) and spans[span, 0] == row:
                stop = offsets[row] + spans[span, 1]
            while at < stop:
                target[to] = data[at]
                to += 1
                at += 1
            if span < len(spans) and spans[span, 0] == row:
                at = offsets[row] + spans[span, 2]
                if spans[span, 3]:
                    for i in range(len(mask)):
                        target[to] = mask[i]
                        to += 1
                span += 1


def without_spans(table: pa.Table, spans: pa.Table, policy: Policy = DEFAULT_POLICY) -> pa.LargeStringArray:
    """Return the texts of ``table`` minus their spans.

    Args:
        table: sample_id (ascending) and text.
        spans: rows of family ``spans``, sample_id and ``SPAN_COLUMNS``, ascending; those of other samples are ignored.
        policy: what becomes of those that have no action of their own.
    """
    ids = table["sample_id"].combine_chunks()
    mine = decide_actions(spans.filter(pc.is_in(spans["sample_id"], ids)), policy)
    rows = pa.array(np.searchsorted(ids.to_numpy(), mine["sample_id"].to_numpy()).astype(np.int32))
    return apply_spans(
        table["text"].combine_chunks(), rows, *(mine[name].combine_chunks() for name in SPAN_COLUMNS[1:])
    )
