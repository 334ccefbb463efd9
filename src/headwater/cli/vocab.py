"""``headwater vocab``: vocabularies trained on a lake, exported to other libraries, and inspected."""

from __future__ import annotations

from pathlib import Path

import click

from headwater.cli.groups import Commands
from headwater.cli.numbers import WholeRange
from headwater.cli.options import answer, example, output_option
from headwater.cli.rendering import format_table
from headwater.cli.vocab_training import extend, train

__all__ = ["vocab"]


@click.group(cls=Commands, short_help="Train, extend, export and inspect vocabularies.")
def vocab() -> None:
    """Vocabularies: trained on a lake, exported to other libraries, inspected."""


vocab.add_command(train)
vocab.add_command(extend)


@vocab.command(epilog=example("headwater vocab export headwater-156k exported"))
@click.argument("vocabulary", metavar="NAME_OR_PATH")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--no-tiktoken", is_flag=True, help="Leave out the rank file, for vocabularies that tiktoken cannot express."
)
@output_option
def export(vocabulary: str, folder: Path, no_tiktoken: bool, output: str) -> None:
    """Export a vocabulary to tokenizers, transformers and tiktoken.

    NAME_OR_PATH is a vocabulary that ships, or a .json.xz, tokenizer.json or .tiktoken file, by its path or URI. It is written to DIR as
    tokenizer.json, tokenizer_config.json, NAME.tiktoken and NAME.tiktoken.json.
    """
    from headwater.lineage.vocabularies import named_vocabulary
    from headwater.tokenize.forms.export import export_vocabulary
    from headwater.warehouse.filesystem import filesystem_of
    from headwater.warehouse.lake_folders import refuse_lakes

    refuse_lakes(*filesystem_of(str(folder)))
    loaded = named_vocabulary(vocabulary)
    written = export_vocabulary(loaded, folder, tiktoken=not no_tiktoken)
    files = [{"file": path.name, "bytes": path.stat().st_size} for path in written]
    found = {
        "vocabulary": loaded.name,
        "fingerprint": loaded.fingerprint,
        "folder": str(folder),
        "files": files,
    }
    answer(found, lambda: format_table(files), output)


@vocab.command(
    epilog=example(
        "headwater vocab inspect headwater-156k",
        "headwater vocab inspect headwater-156k --text heldout/ --against qwen.tiktoken",
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
    "--language-field", metavar="NAME", help="The field that gives a record's language; by default it is identified."
)
@click.option(
    "--under-trained",
    type=WholeRange(min=1),
    default=10,
    show_default=True,
    help="A token that occurs fewer times than this counts as under-trained.",
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

    Ids, special tokens, tokens by script, and tokens that merging their own bytes does not reach. With --text: bytes per token by
    language, tokens that occur rarely or never, and the letters of each language that are a single token.
    """
    import numpy as np

    from headwater.cli.jsonl_texts import read_batches
    from headwater.lineage.vocabularies import named_vocabulary
    from headwater.tokenize.forms.inspection import TextCounts, add_texts, describe_vocabulary, report_text

    loaded = [named_vocabulary(name) for name in (vocabulary, *against)]
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
