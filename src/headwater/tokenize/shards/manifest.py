"""The manifest of a stage: what a trainer needs to load its shards and anybody to check them.

It names no build, run or time: the same stage of the same documents has the same manifest, byte for byte. What does differ between
lakes that hold the same documents (build, runs, versions of the table and of Headwater) stands beside it in `provenance.json`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from headwater.errors import CorruptLakeError, UsageError, one_line
from headwater.plain import JsonObject
from headwater.tokenize.shards.merkle import file_leaf, merkle_root
from headwater.tokenize.vocabulary.content import Vocabulary
from headwater.untrusted import parse_json

__all__ = [
    "FORMAT",
    "LABELS",
    "MANIFEST",
    "MARK",
    "Manifest",
    "Revision",
    "Shard",
    "ShardFile",
    "make_manifest",
    "read_manifest",
    "read_shard",
    "root_of",
    "write_manifest",
    "write_shard",
]

FORMAT: Final = 3
"""Version of a manifest. 3: it has a root and says what was revised."""
READABLE: Final = (2, 3)
"""Versions of a manifest that are read; one of 2 is written again as it was."""
MANIFEST: Final = "manifest.json"
MARK: Final = "revising.json"
"""Stands in the folder of a stage while a revision is put in place, and the manifest does not."""
SHARD_FORMAT: Final = 2
"""Version of the record of a shard; readers accept exactly this one."""
_SINCE: Final = {"root": 3, "revision": 3, "replaces": 3, "revisions": 3}
"""Fields of a manifest that its first version had not."""
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A file beside the manifest: in no other folder, and not hidden."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
    "tuple[Revision, ...]": (tuple,),
    "tuple[Shard, ...]": (tuple,),
    "tuple[ShardFile, ...]": (tuple,),
    "tuple[int, ...]": (tuple,),
}
"""Types of fields as they are written below to those of values."""
_Kind = TypeVar("_Kind")
LABELS: Final = "each token's label is the next token of its sequence; the last token has none and is masked"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardFile:
    """A file of a shard.

    Attributes:
        name: file name, beside the manifest.
        n_bytes: size.
        sha256: 64 hexadecimal digits.
    """

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """A shard and its files.

    Attributes:
        number: 0-based number in the stage.
        sequences: how many it holds.
        tokens: tokens that are no padding, beginnings and ends of text included.
        padding: padding tokens.
        documents: documents it holds, each copy counted.
        longest_document: tokens of the longest one, beginning and end of text included.
        cut_documents: documents in more than one piece.
        cut_tokens: tokens of these documents.
        full_sequences: sequences that one document fills: one as long as the context, or a cut of a longer one.
        files: in all formats that were written, and the sidecar.
    """

    number: int
    sequences: int
    tokens: int
    padding: int
    documents: int
    longest_document: int
    cut_documents: int
    cut_tokens: int
    full_sequences: int
    files: tuple[ShardFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """What a revision of a stage did: some shards were packed again, of other documents, and all others were left as they are.

    Attributes:
        number: 1 for the first; the stage as it was built is revision 0.
        replaces: SHA-256 of the manifest that it replaced.
        sequences: how many the stage had before.
        shards: numbers of the shards that were packed again, ascending.
    """

    number: int
    replaces: str
    sequences: int
    shards: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A stage.

    Attributes:
        format: version of this record.
        stage: name of the stage.
        context: tokens a sequence.
        sequences: in all shards.
        tokens: in all shards, without padding, beginnings and ends of text included: what a budget counts.
        padding: padding tokens in all shards.
        documents: in all shards, each copy counted.
        longest_document: tokens of the longest one, beginning and end of text included.
        cut_documents: documents in more than one piece.
        cut_tokens: tokens of these documents.
        full_sequences: sequences that one document fills: one as long as the context, or a cut of a longer one.
        vocabulary: fingerprint.
        vocabulary_name: its name; for a file, without its folder.
        beginning_of_text_id: id before each document; None where the vocabulary has none.
        end_of_text_id: id after each document.
        padding_id: id that fills a sequence.
        model_size: rows of an embedding.
        beginning_of_text: whether each document begins with the beginning of text.
        end_of_text: whether each document ends in the end of text.
        labels: `LABELS`: who supplies the label of a sequence's last token.
        packing: strategy; see `names.STRATEGIES`.
        seed: the build's seed.
        buckets: packing buckets of the stage, a power of two; the first bits of a document's position say which one it is in.
        recipe: fingerprint of the recipe.
        shards: by number.
        root: `root_of` these shards; None of a manifest of format 2.
        revision: how often shards were packed again since the stage was built.
        replaces: SHA-256 of the manifest that the newest revision replaced; None where there was none.
        revisions: each of them, the oldest first.
    """

    format: int
    stage: str
    context: int
    sequences: int
    tokens: int
    padding: int
    documents: int
    longest_document: int
    cut_documents: int
    cut_tokens: int
    full_sequences: int
    vocabulary: str
    vocabulary_name: str
    beginning_of_text_id: int | None
    end_of_text_id: int
    padding_id: int
    model_size: int
    beginning_of_text: bool
    end_of_text: bool
    labels: str
    packing: str
    seed: int
    buckets: int
    recipe: str
    shards: tuple[Shard, ...]
    root: str | None = None
    revision: int = 0
    replaces: str | None = None
    revisions: tuple[Revision, ...] = ()

    @property
    def special_tokens(self) -> int:
        """Tokens that a document takes besides its own: beginning and end of text, as far as the stage has them."""
        return int(self.beginning_of_text) + int(self.end_of_text)

    def shards_since(self, sha256: str) -> tuple[int, ...] | None:
        """Return which shards were packed again since the manifest of a given SHA-256, ascending; None where this one does not come from it."""
        for place, revision in enumerate(self.revisions):
            if revision.replaces == sha256:
                return tuple(sorted({number for later in self.revisions[place:] for number in later.shards}))
        return None


def root_of(shards: Iterable[Shard]) -> str:
    """Return the root of the tree over the files of some shards, in the order of their names; see `merkle`."""
    files = sorted((file for shard in shards for file in shard.files), key=lambda file: file.name)
    return merkle_root(file_leaf(file.name, file.n_bytes, file.sha256) for file in files)


def make_manifest(
    *,
    stage: str,
    context: int,
    vocabulary: Vocabulary,
    packing: str,
    beginning_of_text: bool,
    end_of_text: bool,
    seed: int,
    buckets: int,
    recipe: str,
    shards: Iterable[Shard],
    revisions: Sequence[Revision] = (),
    format_: int = FORMAT,
) -> Manifest:
    """Return the manifest of a stage, its totals added up from its shards.

    Args:
        revisions: of the stage, the oldest first.
        format_: of the manifest; 2 for a stage that an earlier release built, where its manifest is written again as it was.
    """
    ordered = tuple(sorted(shards, key=lambda shard: shard.number))
    return Manifest(
        format=format_,
        stage=stage,
        context=context,
        sequences=sum(shard.sequences for shard in ordered),
        tokens=sum(shard.tokens for shard in ordered),
        padding=sum(shard.padding for shard in ordered),
        documents=sum(shard.documents for shard in ordered),
        longest_document=max((shard.longest_document for shard in ordered), default=0),
        cut_documents=sum(shard.cut_documents for shard in ordered),
        cut_tokens=sum(shard.cut_tokens for shard in ordered),
        full_sequences=sum(shard.full_sequences for shard in ordered),
        vocabulary=vocabulary.fingerprint,
        vocabulary_name=vocabulary.name.rsplit("/", 1)[-1],
        beginning_of_text_id=vocabulary.beginning_of_text,
        end_of_text_id=vocabulary.end_of_text,
        padding_id=vocabulary.padding,
        model_size=vocabulary.model_size,
        beginning_of_text=beginning_of_text,
        end_of_text=end_of_text,
        labels=LABELS,
        packing=packing,
        seed=seed,
        buckets=buckets,
        recipe=recipe,
        shards=ordered,
        root=root_of(ordered) if format_ >= _SINCE["root"] else None,
        revision=len(revisions),
        replaces=revisions[-1].replaces if revisions else None,
        revisions=tuple(revisions),
    )


def write_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON with sorted keys, one value a line, ending in a line break."""
    content = dataclasses.asdict(manifest)
    return _json({name: value for name, value in content.items() if _SINCE.get(name, 0) <= manifest.format})


def write_shard(shard: Shard) -> bytes:
    """Return the record of one shard, `<shard>.json`, in the form of `write_manifest`, with a `format` of its own."""
    return _json({"format": SHARD_FORMAT, **dataclasses.asdict(shard)})


def _json(content: dict[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def read_manifest(data: bytes, where: str = "manifest") -> Manifest:
    """Return the manifest that `write_manifest` wrote.

    Args:
        data: the file's bytes.
        where: its name, for messages.

    Raises:
        CorruptLakeError: no JSON object, or fields are missing.
        UsageError: a format version that this Headwater does not know.
    """
    content = _checked(data, where, "a manifest", READABLE)
    version = content["format"]
    try:
        shards = tuple(_shard(shard) for shard in _list(content.pop("shards")))
        if version < FORMAT:
            if not _SINCE.keys().isdisjoint(content):
                raise TypeError("fields of a later format")
            content |= {"root": None, "revision": 0, "replaces": None, "revisions": []}
        revisions = tuple(_revision(each) for each in _list(content["revisions"]))
        manifest = _record(Manifest, {**content, "shards": shards, "revisions": revisions})
        _check_revisions(manifest)
        return manifest
    except (KeyError, TypeError) as error:
        raise CorruptLakeError(
            one_line(f"{where}: expected a manifest of format {version}, found other content: {error}")
        ) from error


def read_shard(data: bytes, where: str = "shard") -> Shard:
    """Return the shard whose record `write_shard` wrote; errors are those of `read_manifest`."""
    content = _checked(data, where, "a shard", (SHARD_FORMAT,))
    try:
        del content["format"]
        return _shard(content)
    except (KeyError, TypeError) as error:
        raise CorruptLakeError(
            one_line(f"{where}: expected a shard of format {SHARD_FORMAT}, found other content: {error}")
        ) from error


def _checked(data: bytes, where: str, what: str, formats: Sequence[int]) -> JsonObject:
    """Return the object that a record is, of one of the formats that are read."""
    try:
        content = parse_json(data)
    except ValueError as error:
        raise CorruptLakeError(one_line(f"{where}: expected {what} as JSON, found something else: {error}")) from None
    if not isinstance(content, dict) or "format" not in content:
        raise CorruptLakeError(f"{where}: expected {what} of format {formats[-1]}, found other content")
    if type(content["format"]) is not int or content["format"] not in formats:
        known = " or ".join(map(str, formats))
        raise UsageError(
            f"{where}: expected format {known}, found {repr(content['format'])[:40]}; read it with the Headwater that wrote it, or build again"
        )
    return content


def _shard(content: object) -> Shard:
    if not isinstance(content, dict):
        raise TypeError("no object for a shard")
    files = tuple(_record(ShardFile, file) for file in _list(content["files"]))
    if not all(_FILE_NAME.fullmatch(file.name) for file in files):
        raise TypeError("a file of a shard that lies elsewhere")
    return _record(Shard, {**content, "files": files})


def _revision(content: object) -> Revision:
    if not isinstance(content, dict):
        raise TypeError("no object for a revision")
    shards = tuple(_list(content["shards"]))
    if not all(type(number) is int and number >= 0 for number in shards):
        raise TypeError("a shard of a revision that is no number")
    return _record(Revision, {**content, "shards": shards})


def _check_revisions(manifest: Manifest) -> None:
    """Refuse revisions that are not numbered from 1, or of which the manifest says something else than they do."""
    newest = manifest.revisions[-1].replaces if manifest.revisions else None
    numbers = [each.number for each in manifest.revisions]
    # Never a list as long as a number in a file says.
    fits = len(numbers) == manifest.revision and numbers == list(range(1, len(numbers) + 1))
    if not fits or newest != manifest.replaces:
        raise TypeError("revisions that do not fit their number")


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("no list where one belongs")
    return value


def _record(kind: type[_Kind], content: object) -> _Kind:
    """Return a dataclass of values of its own types; whole numbers are not negative. What does not fit is a TypeError."""
    if not isinstance(content, dict):
        raise TypeError(f"no object for a {kind.__name__}")
    made: _Kind = kind(**content)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # only dataclasses are handed in
        value = content[field.name]
        wanted = _TYPES[str(field.type)]
        if type(value) not in wanted or (type(value) is int and value < 0):
            raise TypeError(f"{field.name} is {type(value).__name__} where {field.type} belongs, or negative")
    return made
