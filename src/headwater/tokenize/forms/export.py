"""A vocabulary as the files that other libraries load, with the same ids from all of them."""

from __future__ import annotations

import json
from pathlib import Path

from headwater.tokenize.forms.tiktoken_ranks import write_tiktoken, write_tiktoken_settings
from headwater.tokenize.vocabulary.content import Vocabulary, vocabulary_stem
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

__all__ = ["export_vocabulary", "write_tokenizer_config"]


def export_vocabulary(vocabulary: Vocabulary, folder: Path, *, tiktoken: bool = True) -> list[Path]:
    """Write `tokenizer.json`, `tokenizer_config.json` and tiktoken's two files; return their paths.

    Args:
        vocabulary: any.
        folder: made where it is not there; files of these names are replaced.
        tiktoken: whether to write tiktoken's files.

    Raises:
        BadInputError: tiktoken would give other ids; nothing is written.
    """
    stem = vocabulary_stem(vocabulary)
    contents: dict[str, bytes] = {}
    if tiktoken:
        contents[f"{stem}.tiktoken"] = write_tiktoken(vocabulary)
        contents[f"{stem}.tiktoken.json"] = write_tiktoken_settings(vocabulary).encode()
    contents["tokenizer.json"] = write_tokenizer_json(vocabulary).encode()
    contents["tokenizer_config.json"] = write_tokenizer_config(vocabulary).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in sorted(contents)]


def write_tokenizer_config(vocabulary: Vocabulary) -> str:
    """Return `tokenizer_config.json` for the fast tokenizer of `transformers`.

    It adds nothing around a text, changes no blank when decoding, and names end of text, padding and beginning of text.
    """
    by_id = {i: text for text, i in sorted(vocabulary.specials.items())}
    token: dict[str, str | bool] = {
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    begins = vocabulary.beginning_of_text
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {str(i): {"content": by_id[i], **token} for i in sorted(by_id)},
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "bos_token": None if begins is None else by_id[begins],
        "eos_token": by_id[vocabulary.end_of_text],
        "pad_token": by_id[vocabulary.padding],
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1 << 62,  # the context is the model's; none is known here
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
