"""The manifest of a stage: what a trainer needs to load its shards and anybody to check them.

It names no build, run or time: the same stage of the same documents has the same manifest, byte for byte.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final

from headwater.errors import CorruptLakeError, UsageError
from headwater.tokenize.shard_files import WrittenFile, hash_stream
from headwater.tokenize.vocabulary import Vocabulary

__all__ = ["Manifest", "Shard", "ShardFile", "check_files", "make_manifest", "read_manifest", "write_manifest"]

FORMAT: Final = 1


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
        tokens: tokens that are no padding, ends of text included.
        padding: padding tokens.
        cut_documents: documents in more than one piece.
        files: in all formats that were written, and the sidecar.
    """

    number: int
    sequences: int
    tokens: int
    padding: int
    cut_documents: int
    files: tuple[ShardFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A stage.

    Attributes:
        format: version of this record.
        stage: name of the stage.
        context: tokens a sequence.
        sequences: in all shards.
        tokens: in all shards, without padding, ends of text included: what a budget counts.
        padding: padding tokens in all shards.
        cut_documents: documents in more than one piece.
        vocabulary: fingerprint.
        end_of_text_id: id after each document.
        padding_id: id that fills a sequence.
        model_size: rows of an embedding.
        beginning_of_text: policy, here always none.
        end_of_text: policy, here always after each document.
        labels: who supplies the label of a sequence's last token.
        packing: strategy.
        seed: the build's seed.
        buckets: packing buckets of the stage.
        shards: by number.
    """

    format: int
    stage: str
    context: int
    sequences: int
    tokens: int
    padding: int
    cut_documents: int
    vocabulary: str
    end_of_text_id: int
    padding_id: int
    model_size: int
    beginning_of_text: str
    end_of_text: str
    labels: str
    packing: str
    seed: int
    buckets: int
    shards: tuple[Shard, ...]


def make_manifest(
    *,
    stage: str,
    context: int,
    vocabulary: Vocabulary,
    packing: str,
    seed: int,
    buckets: int,
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
        cut_documents=sum(shard.cut_documents for shard in ordered),
        vocabulary=vocabulary.fingerprint,
        end_of_text_id=vocabulary.end_of_text,
        padding_id=vocabulary.padding,
        model_size=vocabulary.model_size,
        beginning_of_text="none",
        end_of_text="after each document",
        labels="each token's label is the next token of its sequence; the last token has none and is masked",
        packing=packing,
        seed=seed,
        buckets=buckets,
        shards=ordered,
    )


def write_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON with sorted keys, one value a line, ending in a line break."""
    text = json.dumps(dataclasses.asdict(manifest), sort_keys=True, indent=1, ensure_ascii=False)
    return text.encode() + b"\n"


def read_manifest(data: bytes, where: str = "manifest") -> Manifest:
    """Return the manifest that `write_manifest` wrote.

    Args:
        data: the file's bytes.
        where: its name, for messages.

    Raises:
        CorruptLakeError: no JSON object, or fields are missing.
        UsageError: a format version that this Headwater does not know.
    """
    try:
        content = json.loads(data)
        found = content["format"]
        if found != FORMAT:
            raise UsageError(f"{where}: expected format {FORMAT}, found {found}; read it with a newer Headwater")
        shards = tuple(
            Shard(**{**shard, "files": tuple(ShardFile(**file) for file in shard["files"])})
            for shard in content.pop("shards")
        )
        return Manifest(**content, shards=shards)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptLakeError(f"{where}: expected a manifest of format {FORMAT}, found other content") from error


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
        elif found != WrittenFile(n_bytes=file.n_bytes, sha256=file.sha256):
            damaged[file.name] = f"expected SHA-256 {file.sha256}, found {found.sha256}"
    return damaged
