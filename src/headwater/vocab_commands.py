"""`headwater vocab`: vocabularies written for other libraries, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headwater.options import Commands, answer, example, output_option
from headwater.rendering import format_table

__all__ = ["vocab"]


@click.group(cls=Commands)
def vocab() -> None:
    """Vocabularies: what other libraries load, and what one is good for."""


@vocab.command(epilog=example("headwater vocab export headwater-156k exported"))
@click.argument("vocabulary", metavar="NAME_OR_PATH")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--no-tiktoken", is_flag=True, help="Leave the rank file out: for vocabularies that tiktoken cannot express."
)
@output_option
def export(vocabulary: str, folder: Path, no_tiktoken: bool, output: str) -> None:
    """Write a vocabulary for tokenizers, transformers and tiktoken.

    NAME_OR_PATH is a vocabulary that ships, or a .json.xz, tokenizer.json or .tiktoken file. DIR gets tokenizer.json,
    tokenizer_config.json, NAME.tiktoken and NAME.tiktoken.json.
    """
    from headwater.tokenize.export import export_vocabulary
    from headwater.tokenize.vocabulary import load_vocabulary

    loaded = load_vocabulary(vocabulary)
    written = export_vocabulary(loaded, folder, tiktoken=not no_tiktoken)
    found: dict[str, Any] = {
        "vocabulary": loaded.name,
        "fingerprint": loaded.fingerprint,
        "folder": str(folder),
        "files": [{"file": path.name, "bytes": path.stat().st_size} for path in written],
    }
    answer(found, lambda: format_table(found["files"]), output)
