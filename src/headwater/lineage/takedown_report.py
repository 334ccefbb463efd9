"""The report of a takedown in plain language, for whoever asked for it and for whoever files it: as text and as HTML.

It names samples and builds and no text, URL or host: those that were asked for are known by a keyed hash alone.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from typing import Final

from headwater.plain import ValuesByName
from headwater.warehouse.filesystem import join, write_file
from headwater.warehouse.takedown_records import FOLDER, Record

__all__ = ["report_hashes", "report_html", "report_sections", "report_text", "write_report"]

_WIDTH: Final = 100
_SHOWN: Final = 5
_LISTED: Final = 100
_FAMILIES: Final = {
    "content": "texts, URLs, dates and metadata",
    "captures": "what was known of the pages' captures",
    "html": "pages as they were served",
    "texts": "texts that extractors made of pages",
    "uri_index": "entries of the index of URLs",
    "host_index": "entries of the index of hosts",
    "hash_index": "entries of the index of texts",
    "band_index": "entries of the index of signatures",
    "language": "languages",
    "signals": "measures of the texts",
    "scores": "scores of the texts",
    "minhash": "signatures of the texts",
    "spans": "places of personal data and other passages",
    "contamination": "evaluation items found in the texts",
    "blocklists": "hits of block lists",
    "tokens": "counts of tokens",
    "duplicates": "memberships of clusters of duplicates",
    "recaptures": "marks of older captures",
    "verdicts": "verdicts",
    "vocabularies": "entries of samples that trained a vocabulary",
    "stages": "entries of selections that were not built yet",
    "quarantine": "refused records, whose reason is now taken_down",
}
Sections = Sequence[tuple[str, Sequence[str]]]
"""Headings, each with its paragraphs."""


def write_report(lake: str, record: Record) -> None:
    """Write ``takedowns/ID.txt`` and ``takedowns/ID.html`` of a lake, over those that are there.

    Raises:
        StorageError: the file system refused.
    """
    folder = join(lake, FOLDER)
    for ending, said in _files(record).items():
        write_file(folder, f"{record.takedown}.{ending}", said, root=lake)


def report_hashes(record: Record) -> dict[str, str]:
    """Return ending → SHA-256, hexadecimal, of the files that ``write_report`` writes."""
    return {ending: hashlib.sha256(said).hexdigest() for ending, said in _files(record).items()}


def _files(record: Record) -> dict[str, bytes]:
    return {"txt": report_text(record).encode(), "html": report_html(record).encode()}


def _count(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> _count(1, "sample"), _count(1200, "copy", "copies")
    ('1 sample', '1,200 copies')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def report_sections(record: Record) -> Sections:
    """Return the headings of a report, each with its paragraphs."""
    return [
        ("What was asked", _asked(record)),
        ("What was found", _found(record)),
        ("What was removed, and where", _removed(record)),
        ("Builds and the models trained from them", _builds(record)),
        ("Files of earlier versions", _older(record)),
        ("What remains, and why", _remains(record)),
        ("The same text in future", _future(record)),
        ("Proof", _proof(record)),
    ]


def _asked(record: Record) -> list[str]:
    near = (
        "Near-duplicates were not asked for."
        if record.near_from is None
        else f"Near-duplicates with a similarity of {record.near_from:g} or more were asked for too."
    )
    return [
        f"Asked by: {record.who}",
        f"Reason: {record.why}",
        f"Asked at: {record.asked_at}",
        f"What was named is kept as a keyed hash only: {record.request}. {near}",
    ]


def _found(record: Record) -> list[str]:
    lines = [
        f"{_count(record.named, 'document')} named, {_count(record.exact, 'further document')} with exactly the same text, "
        f"{_count(record.near, 'near-duplicate')}: {_count(len(record.samples), 'document')} in all."
    ]
    if record.records:
        lines.append(
            f"{_count(len(record.records), 'record')} named that had been refused when the file was read; the lake never held their text."
        )
    lines += [
        f"Build {place['build']}, stage {place['stage']}: {_count(place['samples'], 'document')} in {_count(place['copies'], 'copy', 'copies')}, "
        f"{_count(place['tokens'], 'token')} in {_count(place['sequences'], 'sequence')} of {_count(len(place['shards']), 'shard')} "
        f"({', '.join(map(str, place['shards'][:20]))}{', …' if len(place['shards']) > 20 else ''})."
        for place in record.places
    ]
    if not record.places:
        lines.append("No build held any of them.")
    return lines


def _removed(record: Record) -> list[str]:
    if not record.reached("removed"):
        return ["Nothing yet: the takedown was stopped before its commit. Run it again with --resume."]
    lines = [
        f"Removed at {record.removed_at} in version {record.version} of the table, in one commit: "
        f"{_count(record.rewritten.get('files', 0), 'file')} of {_count(record.rewritten.get('bytes', 0), 'byte')} were written again without them."
    ]
    lines += [
        f"{n:,} {_FAMILIES.get(family, family)} (family {family})" for family, n in sorted(record.removed.items()) if n
    ]
    if record.new_winners:
        lines.append(
            f"{_count(len(record.new_winners), 'document')} that had been left out as a duplicate of a removed one now stands in its place."
        )
    return lines


def _builds(record: Record) -> list[str]:
    lines = [f"Build {build} was revised: {_told(done)}" for build, done in sorted(record.revised.items())]
    lines += [f"Build {build} was NOT revised: {why}." for build, why in sorted(record.unrevised.items())]
    lines += [
        f"Build {build} had not ended; it is built anew from a selection without the removed documents."
        for build in record.restarted
    ]
    if record.places:
        lines.append(
            "What a model has learnt cannot be taken out of it by this program. Models trained on the sequences listed here, before the build was "
            "revised, have seen these documents."
        )
        lines += _training(record)
    return lines or ["No build held any of the documents."]


def _training(record: Record) -> list[str]:
    """Return which sequences of which stages held the documents, and in which training steps they were."""
    lines = []
    for place in record.places:
        if "of_sequences" not in place:
            continue
        where = f"Build {place['build']}, stage {place['stage']}, as it was before"
        lines.append(f"{where}: {_ranges('sequence', place)} of {place['of_sequences']:,}, counted from 0.")
        if "steps" in place:
            steps = place["steps"]
            lines.append(f"{where}: {_ranges('training step', steps)} of {steps['of']:,}, counted from 0.")
    if record.training is None:
        lines.append(
            "Which training steps these were follows from the trainer's batch size and order, which were not told (--batch-size)."
        )
    elif lines:
        told = record.training
        settings = [
            f"batches of {_count(told['batch_size'], 'sequence')}",
            "the seed that it has by default" if told["seed"] is None else f"seed {told['seed']}",
        ]
        if told["trainer"] == "megatron":
            settings.append(f"{_count(told['samples'], 'training sample')}, split {told['split']}")
        else:
            settings.append(
                f"{_count(told['epochs'], 'epoch')}, {'shuffled' if told['shuffle'] else 'in the stored order'}"
            )
        lines.append(f"The training steps are those of a training run by {told['trainer']} with {', '.join(settings)}.")
    return lines


def _ranges(noun: str, told: ValuesByName) -> str:
    """Return ranges of numbers in words.

    >>> _ranges("step", {"ranges": [[3, 5], [9, 9]], "ranges_left_out": 0})
    'steps 3 to 5, 9'
    """
    ranges = told["ranges"]
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:_LISTED]]
    more = len(ranges) - len(shown) + told["ranges_left_out"]
    one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return f"{noun if one else noun + 's'} {', '.join(shown)}" + (f" and {more:,} more ranges" if more else "")


def _told(done: ValuesByName) -> str:
    parts = [
        f"stage {stage}: {_count(len(each['shards']), 'shard')} of {each['of_shards']:,} written again, {_count(each['bytes'], 'byte')}; "
        f"revision {each['revision']} replaces the manifest with SHA-256 {each['replaces']}"
        for stage, each in sorted(done["stages"].items())
    ]
    came = f"; {_count(done['came'], 'document')} came in the stead of removed ones" if done["came"] else ""
    return "; ".join(parts) + came + ". Every other byte is as it was."


def _older(record: Record) -> list[str]:
    if record.reached("deleted"):
        lines = [
            f"{_count(record.deleted.get('files', 0), 'file')} of {_count(record.deleted.get('bytes', 0), 'byte')} of earlier versions of the table "
            "that may have held the documents were deleted. Earlier versions of the table can no longer be read where they need these files."
        ]
    else:
        lines = [
            f"Files of earlier versions of the table still hold the documents. They are due for deletion at {record.due}, when headwater maintain "
            "(or this takedown, resumed) deletes them."
        ]
    lines += [f"Not deleted: {line}" for line in record.left[:_SHOWN]]
    if len(record.left) > _SHOWN:
        lines.append(
            f"and {len(record.left) - _SHOWN:,} more files that were not deleted; the record of this takedown lists all."
        )
    return lines


def _remains(record: Record) -> list[str]:
    lines = [
        "For each document its number, the number of the input file and of its record there, and the name of its source remain, so that every count "
        "of the lake still adds up. They say that there was a document and nothing of what it said.",
        "The input files themselves are not the lake's and were not touched; family files keeps their paths and SHA-256 hashes.",
        "Copies that were exported, shared or backed up elsewhere are not reached by this program.",
        "Vocabularies and score models that were trained with the documents stay: a vocabulary holds frequent pieces of words, a model weights.",
        "Reports, exports and logs that people made of the lake are not reached by this program.",
    ]
    if record.unrevised:
        lines.append("The builds named above as not revised still hold the documents.")
    return lines


def _future(record: Record) -> list[str]:
    return [
        "Keyed hashes of the removed texts are kept under the lake's own key (takedowns/key). Exactly the same text is refused when it is "
        "read again; a near-duplicate that is read later is rejected by its verdict. Both name the reason taken_down.",
        "Who has the key can tell whether a text at hand is one of the removed ones. Nobody can make the text from these hashes.",
        "Another text from the same URL or host is not refused; a block list does that.",
    ]


def _proof(record: Record) -> list[str]:
    if not record.proof:
        return [
            "No search was made with this takedown. With --absent FILE every byte of the lake and its builds is searched for the lines of a file."
        ]
    proof = record.proof
    found, unread = sorted({each["file"] for each in proof["found"]}), [each["file"] for each in proof["unread"]]
    where = f"{_count(proof['files'], 'file')} of {_count(proof['bytes'], 'byte')}"
    what = f"At {proof['at']} {_count(proof['lines'], 'string')} were searched for in {where}"
    lines = [
        f"{what}: found in none of them." if not found else f"{what}: STILL FOUND in {_count(len(found), 'file')}:"
    ]
    lines += found[:_LISTED]
    if unread:
        lines += [f"{_count(len(unread), 'file')} could not be searched, and may hold anything:", *unread[:_LISTED]]
    return lines


def report_text(record: Record) -> str:
    """Return the report as text of lines of at most 100 characters, but for words that are longer."""
    lines = [f"Takedown {record.takedown}", f"State: {_state(record)}", ""]
    for heading, paragraphs in report_sections(record):
        lines += [heading, "-" * len(heading)]
        for paragraph in paragraphs:
            lines += _wrapped(paragraph)
        lines.append("")
    lines.append(f"Written by Headwater {record.code_version}.")
    return "\n".join(lines) + "\n"


def _state(record: Record) -> str:
    if record.reached("deleted"):
        return "done"
    if record.reached("revised"):
        return "removed; files of earlier versions wait for their time"
    return "not finished: run headwater takedown LAKE --resume with its id"


def _wrapped(paragraph: str) -> list[str]:
    lines = [""]
    for word in paragraph.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDTH - 2:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [("- " if number == 0 else "  ") + line for number, line in enumerate(lines)]


def report_html(record: Record) -> str:
    """Return the report as a page of HTML without scripts or anything from elsewhere."""
    parts = []
    for heading, paragraphs in report_sections(record):
        items = "".join(f"<li>{html.escape(paragraph)}</li>\n" for paragraph in paragraphs)
        parts.append(f"<h2>{html.escape(heading)}</h2>\n<ul>\n{items}</ul>\n")
    title = html.escape(f"Takedown {record.takedown}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        "<style>body{font:16px/1.5 serif;max-width:46em;margin:2em auto;padding:0 1em}h1,h2{font-family:sans-serif}</style>\n"
        f"</head>\n<body>\n<h1>{title}</h1>\n<p>State: {html.escape(_state(record))}</p>\n{''.join(parts)}"
        f"<p>Written by Headwater {html.escape(record.code_version)}.</p>\n</body>\n</html>\n"
    )
