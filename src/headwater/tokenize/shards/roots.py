"""The root of a build, `root.json`: one number over the manifests of its stages, so over every byte of every shard.

It stands beside the stages' folders and names neither the build nor a run: the same documents and recipe give the same root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from headwater.errors import CorruptLakeError, UsageError, one_line
from headwater.tokenize.shards.merkle import merkle_root
from headwater.untrusted import parse_json

__all__ = ["ROOT", "build_root", "read_root"]

ROOT: Final = "root.json"
FORMAT: Final = 1
"""Version of the record; readers accept exactly this one."""


def build_root(manifests: Mapping[str, str]) -> bytes:
    """Return the record as it is stored: a tree whose leaves are the stages by name, each with the SHA-256 of its manifest.

    Args:
        manifests: stage → SHA-256 of its manifest.
    """
    ordered = dict(sorted(manifests.items()))
    root = merkle_root(b"\0".join([stage.encode(), sha256.encode()]) for stage, sha256 in ordered.items())
    content = {"format": FORMAT, "root": root, "stages": ordered}
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def read_root(data: bytes, where: str) -> dict[str, str]:
    """Return stage → SHA-256 of its manifest, of a record whose root fits them.

    Raises:
        CorruptLakeError: it is no such record, or its root is another.
        UsageError: a format that this Headwater does not know.
    """
    try:
        content = parse_json(data)
    except ValueError as error:
        raise CorruptLakeError(
            one_line(f"{where}: expected the root of a build as JSON, found something else: {error}")
        ) from None
    if isinstance(content, dict) and type(content.get("format")) is int and content["format"] != FORMAT:
        raise UsageError(
            f"{where}: expected format {FORMAT}, found {content['format']}; read it with the Headwater that wrote it"
        )
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(sha256, str) for sha256 in stages.values()):
        raise CorruptLakeError(f"{where}: expected the root of a build of format {FORMAT}, found other content")
    if build_root(stages) != data:
        raise CorruptLakeError(
            f"{where}: expected the root of the manifests that it names, found another; copy it again"
        )
    return stages
