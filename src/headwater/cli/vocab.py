"""`headwater vocab`: vocabularies trained on a lake, written for other libraries, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headwater.cli import vocab_training as vocab_training_commands
from headwater.cli.options import Commands, answer, example, output_option
from headwater.cli.rendering import format_table

__all__ = ["vocab"]


@click.group(cls=Commands)
def vocab() -> None:
    """Vocabularies: trained on a lake, written for other libraries, looked at."""


for _command in (vocab_training_commands.train, vocab_training_commands.extend):
    vocab.add_command(_command)


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
    from headwater.tokenize.forms.export import export_vocabulary
    from headwater.tokenize.forms.load import load_vocabulary

    loaded = load_vocabulary(vocabulary)
    written = export_vocabulary(loaded, folder, tiktoken=not no_tiktoken)
    found: dict[str, Any] = {
        "vocabulary": loaded.name,
        "fingerprint": loaded.fingerprint,
        "folder": str(folder),
        "files": [{"file": path.name, "bytes": path.stat().st_size} for path in written],
    }
    answer(found, lambda: format_table(found["files"]), output)


@vocab.command(
    epilog=example(
        "headwater vocab inspect headwater-156k",
        "headwater vocab inspect headwater-156k --text heldout/ --language-field language --against qwen.tiktoken",
    )
)
@click.argument("vocabulary", metavar="NAME_OR_PATH")
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="JSON Lines (.jsonl, .gz, .zst), a file or a folder; may be given more than once.",
)
@click.option(
    "--against", multiple=True, metavar="NAME_OR_PATH", help="Another vocabulary; may be given more than once."
)
@click.option(
    "--language-field", metavar="NAME", help="The record's field with its language; by default it is identified."
)
@click.option(
    "--under-trained",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="A token met fewer times than this counts as under-trained.",
)
@output_option
def inspect(
    vocabulary: str,
    texts: tuple[Path, ...],
    against: tuple[str, ...],
    language_field: str | None,
    under_trained: int,
    output: str,
) -> None:
    """Show what a vocabulary is made of and what it does to text.

    Ids, special tokens, tokens by script, tokens that their own bytes do not merge to; on the text given: bytes a token by
    language, tokens never met or hardly, and letters of each language that are one token.
    """
    import numpy as np

    from headwater.cli.jsonl_texts import read_batches
    from headwater.tokenize.forms.inspection import TextCounts, add_texts, describe_vocabulary, report_text
    from headwater.tokenize.forms.load import load_vocabulary

    loaded = [load_vocabulary(name) for name in (vocabulary, *against)]
    found = describe_vocabulary(loaded[0])
    if texts:
        counts = TextCounts(ids=np.zeros(loaded[0].model_size, dtype=np.int64))
        for batch, languages in read_batches(texts, language_field):
            add_texts(counts, batch, languages, loaded)
        found["text"] = report_text(counts, loaded, under_trained=under_trained, min_letter=100)
    elif against:
        found["against"] = [describe_vocabulary(other) for other in loaded[1:]]

    def text() -> str:
        single = {key: value for key, value in found.items() if not isinstance(value, dict | list)}
        parts = [format_table([{"what": key.replace("_", " "), "value": str(value)} for key, value in single.items()])]
        scripts = found["tokens_by_script"]
        parts.append(format_table([{"script": script, "tokens": n} for script, n in scripts.items()]))
        if "text" in found:
            parts.append(format_table(found["text"]["languages"]))
            rest = {key: value for key, value in found["text"].items() if key != "languages"}
            parts.append(
                format_table([{"what": key.replace("_", " "), "value": str(value)} for key, value in rest.items()])
            )
        parts.extend(
            format_table([{"what": key, "value": str(value)} for key, value in other.items()])
            for other in found.get("against", [])
        )
        return "\n\n".join(parts)

    answer(found, text, output)
