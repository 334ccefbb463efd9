"""The manifest of a stage: what a trainer needs to load its shards and anybody to check them.

It names no build, run or time: the same stage of the same documents has the same manifest, byte for byte. What does differ between
lakes that hold the same documents (build, runs, versions of the table and of Headwater) stands beside it in `provenance.json`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeVar

from headwater.errors import CorruptLakeError, UsageError, one_line
from headwater.plain import JsonObject
from headwater.tokenize.shards.files import Digest, hash_stream
from headwater.tokenize.vocabulary.content import Vocabulary
from headwater.untrusted import parse_json

__all__ = [
    "FORMAT",
    "LABELS",
    "Manifest",
    "Shard",
    "ShardFile",
    "check_files",
    "make_manifest",
    "read_manifest",
    "read_shard",
    "write_manifest",
    "write_shard",
]

FORMAT: Final = 2
"""Version of a manifest and of the record of a shard; readers accept exactly this one."""
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""A file beside the manifest: in no other folder, and not hidden."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "tuple[Shard, ...]": (tuple,),
    "tuple[ShardFile, ...]": (tuple,),
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

    @property
    def special_tokens(self) -> int:
        """Tokens that a document takes besides its own: beginning and end of text, as far as the stage has them."""
        return int(self.beginning_of_text) + int(self.end_of_text)


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
) -> Manifest:
    """Return the manifest of a stage, its totals added up from its shards."""
    ordered = tuple(sorted(shards, key=lambda shard: shard.number))
    return Manifest(
        format=FORMAT,
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
    )


def write_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON with sorted keys, one value a line, ending in a line break."""
    return _json(dataclasses.asdict(manifest))


def write_shard(shard: Shard) -> bytes:
    """Return the record of one shard, `<shard>.json`, in the form of `write_manifest`, with the same `format`."""
    return _json({"format": FORMAT, **dataclasses.asdict(shard)})


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
    content = _checked(data, where, "a manifest")
    try:
        shards = tuple(_shard(shard) for shard in _list(content.pop("shards")))
        return _record(Manifest, {**content, "shards": shards})
    except (KeyError, TypeError) as error:
        raise CorruptLakeError(
            one_line(f"{where}: expected a manifest of format {FORMAT}, found other content: {error}")
        ) from error


def read_shard(data: bytes, where: str = "shard") -> Shard:
    """Return the shard whose record `write_shard` wrote; errors are those of `read_manifest`."""
    content = _checked(data, where, "a shard")
    try:
        del content["format"]
        return _shard(content)
    except (KeyError, TypeError) as error:
        raise CorruptLakeError(
            one_line(f"{where}: expected a shard of format {FORMAT}, found other content: {error}")
        ) from error


def _checked(data: bytes, where: str, what: str) -> JsonObject:
    """Return the object that a record is, of the one format that is read."""
    try:
        content = parse_json(data)
    except ValueError as error:
        raise CorruptLakeError(one_line(f"{where}: expected {what} as JSON, found something else: {error}")) from None
    if not isinstance(content, dict) or "format" not in content:
        raise CorruptLakeError(f"{where}: expected {what} of format {FORMAT}, found other content")
    if content["format"] != FORMAT:
        raise UsageError(
            f"{where}: expected format {FORMAT}, found {repr(content['format'])[:40]}; read it with the Headwater that wrote it, or build again"
        )
    return content


def _shard(content: object) -> Shard:
    if not isinstance(content, dict):
        raise TypeError("no object for a shard")
    files = tuple(_record(ShardFile, file) for file in _list(content["files"]))
    if not all(_FILE_NAME.fullmatch(file.name) for file in files):
        raise TypeError("a file of a shard that lies elsewhere")
    return _record(Shard, {**content, "files": files})


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


def check_files(manifest: Manifest, open_file: Callable[[str], BinaryIO]) -> dict[str, str]:
    """Return what is wrong with each damaged file, by name; empty when all files are as they were written.

    Args:
        manifest: of the stage.
        open_file: opens a file by name; an `OSError` counts as missing.
    """
    damaged: dict[str, str] = {}
    for file in (file for shard in manifest.shards for file in shard.files):
        try:
            with open_file(file.name) as stream:
                found = hash_stream(stream)
        except OSError:
            damaged[file.name] = "missing"
            continue
        if found.n_bytes != file.n_bytes:
            damaged[file.name] = f"expected {file.n_bytes} bytes, found {found.n_bytes}"
        elif found != Digest(n_bytes=file.n_bytes, sha256=file.sha256):
            damaged[file.name] = f"expected SHA-256 {file.sha256}, found {found.sha256}"
    return damaged
