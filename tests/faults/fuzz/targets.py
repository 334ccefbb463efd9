"""Every parser of files that may come from strangers, with sound files to begin from and hostile ones made by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import random
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from family_rows import write
from pyarrow import fs as pafs
from stage_folder import write_folder

from headwater.errors import HeadwaterError, UsageError
from headwater.filters.contamination.items import Item, ItemFields
from headwater.filters.fasttext.model import read_model
from headwater.filters.fasttext.predict import prepare
from headwater.filters.rules.predicates import check_predicate
from headwater.filters.rules.rule_set import RULE_COLUMNS, load_rules
from headwater.lineage.checks.scope import read_verified
from headwater.lineage.evaluation_sets import StoredSet, load_benchmark, store_set
from headwater.pipelines.ingest.evaluation_items import read_items
from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.recipe.shipped import shipped_recipes, shipped_vocabulary_recipes
from headwater.pipelines.recipe.vocabulary import load_vocabulary_recipe
from headwater.pipelines.what_if.changes import parse_number, parse_values
from headwater.reader.run_files import read_sidecar
from headwater.tokenize.forms.load import load_vocabulary, vocabulary_from_merges, write_vocabulary
from headwater.tokenize.forms.tiktoken_ranks import write_tiktoken, write_tiktoken_settings
from headwater.tokenize.shards.manifest import read_manifest, read_shard
from headwater.tokenize.shards.tokens import open_tokens
from headwater.tokenize.vocabulary.content import Vocabulary
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json
from headwater.untrusted import parse_json
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.takedown_records import Record, read_records, write_record

from .mutations import mutate_bytes, mutate_json, mutate_toml
from .pages import PAGES
from .trials import Target
from .web_archives import archives, archives_by_hand, mutate_archive, read_archive

__all__ = ["TARGETS"]

_RECIPES: Final = Path(load_recipe.__code__.co_filename).parents[2] / "recipes"
_LOCAL: Final = pafs.LocalFileSystem()


def _vocabulary() -> Vocabulary:
    alphabet = list(range(256))
    pairs = np.array([[104, 105], [256, 33], [32, 116], [258, 104], [259, 101], [256, 256]], dtype=np.int32)
    return vocabulary_from_merges(name="small", pattern=r"\p{L}+|\P{L}+", alphabet=alphabet, pairs=pairs)


def _load(path: Path) -> None:
    load_vocabulary.cache_clear()
    load_vocabulary(str(path))


def _changed_vocabulary(**changes: Any) -> bytes:  # Any: values that do not belong there
    return _packed(json.dumps(json.loads(lzma.decompress(write_vocabulary(_vocabulary()))) | changes).encode())


def _packed(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_XZ, preset=0)


def _mutate_packed(data: bytes, draw: random.Random) -> bytes:
    return mutate_bytes(data, draw) if draw.random() < 0.2 else _packed(mutate_json(lzma.decompress(data), draw))


def _bomb() -> bytes:
    """Return 4 GiB of blanks before a bracket, some 600 KB of xz: streams of 256 MiB, one after the other."""
    decoder = lzma.LZMACompressor(format=lzma.FORMAT_XZ, preset=0)
    block = b" " * (1 << 24)
    return b"".join([*(decoder.compress(block) for _ in range(16)), decoder.flush()]) * 16


def _own_by_hand() -> Sequence[bytes]:
    doubling = [104, 105, *(part for i in range(256, 300) for part in (i, i))]
    return [
        *(_bomb(), b"\xfd7zXZ\0", _packed(b"[" * 100_000), _packed(b"1" * 10_000), _packed(b"null"), _packed(b"[]")),
        _packed(b"[" + b"[]," * 5_000_000 + b"1]"),
        _changed_vocabulary(merges=doubling, new_ids=[[256, 45]]),
        _changed_vocabulary(new_ids=[[256, 10**12]]),
        _changed_vocabulary(new_ids=[[10**12, 6]]),
        _changed_vocabulary(specials={"<|endoftext|>": 10**12}),
        _changed_vocabulary(specials={"\ud800": 300}),
        _changed_vocabulary(unmade={"x": 10**12}),
        _changed_vocabulary(unmade={"x": -1}),
        _changed_vocabulary(byte_ids=[10**12 + i for i in range(256)]),
        _changed_vocabulary(byte_ids=[0.5] * 256),
        _changed_vocabulary(name="../../x"),
        _changed_vocabulary(name="a\nb"),
        _changed_vocabulary(pre_tokenizer=[]),
        _changed_vocabulary(base_ids=10**400),
    ]


_NO_VOCAB: Final[tuple[object, ...]] = ([], None, {"a": "b"}, {"a": 10**12}, {"a": -1}, {"a": 1.5}, {"a": True})
_NO_MERGES: Final[tuple[object, ...]] = ({}, None, "x", [1], [["a"]], ["a b c"], [["a", 1]], [[]], [None])


def _tokenizer_by_hand() -> Sequence[bytes]:
    sound = json.loads(write_tokenizer_json(_vocabulary()))

    def changed(**changes: Any) -> bytes:  # Any: values that do not belong there
        return json.dumps(sound | {"model": sound["model"] | changes}).encode()

    return [
        *(
            b"{}",
            b"[]",
            b"null",
            b"1",
            b'"x"',
            b"[" * 100_000,
            b'{"model":' * 20_000,
            b"\xff",
            b"",
            b"9" * 10_000,
            b'{"model": NaN}',
        ),
        *(b" " * (1 << 26), b"[" + b"0," * 16_000_000 + b"0]"),
        *(changed(vocab=value) for value in _NO_VOCAB),
        *(changed(merges=value) for value in _NO_MERGES),
        changed(vocab=sound["model"]["vocab"] | {"far": 10**12}),
        changed(vocab=sound["model"]["vocab"] | {"\ud800": 400}),
        json.dumps(sound | {"added_tokens": [{"content": "x", "id": 10**12}]}).encode(),
        json.dumps(sound | {"added_tokens": [{"content": None, "id": []}]}).encode(),
        json.dumps(sound | {"added_tokens": {"a": 1}}).encode(),
        json.dumps(sound | {"normalizer": 7}).encode(),
        json.dumps(sound | {"pre_tokenizer": ["ByteLevel"]}).encode(),
        json.dumps(
            sound | {"pre_tokenizer": {"pretokenizers": [{"type": "ByteLevel"}], "x": [[[[[[]]]]]] * 1000}}
        ).encode(),
    ]


def _ranks(folder: Path) -> Sequence[bytes]:
    (folder / "ranks.tiktoken.json").write_text(write_tiktoken_settings(_vocabulary()))
    return [write_tiktoken(_vocabulary())]


def _ranks_by_hand() -> Sequence[bytes]:
    sound = write_tiktoken(_vocabulary())
    return [
        *(b"", b"\n" * 1_000_000, b"YQ== 0\n" * 100_000, sound + b"YWI= 1000000000000\n", sound + b"YWI= -1\n"),
        *(
            sound + b"YWI= " + b"9" * 5000 + b"\n",
            sound + b"YWI= 1e9\n",
            sound + "YWI= ٣\n".encode(),
            sound.replace(b" 256\n", b" 257\n"),
        ),
        sound + b"YWFh" * 250_000 + b" 300\n",
        sound + b"".join(b"YWFh" * 1000 + b" %d\n" % (300 + i) for i in range(3000)),
        b"x" * (1 << 26),
    ]


def _settings(folder: Path) -> Sequence[bytes]:
    (folder / "ranks.tiktoken").write_bytes(write_tiktoken(_vocabulary()))
    return [write_tiktoken_settings(_vocabulary()).encode()]


def _settings_by_hand() -> Sequence[bytes]:
    texts = (
        *(
            '{"pat_str": 1, "special_tokens": {}}',
            '{"pat_str": "x"}',
            '{"pat_str": "x", "special_tokens": {"a": 1e12}}',
            "[]",
            "null",
            "1",
        ),
        *(
            '{"pat_str": "x", "special_tokens": {"a": 1000000000000}}',
            '{"pat_str": "x", "special_tokens": [1]}',
            "[" * 100_000,
        ),
    )
    return [text.encode() for text in texts]


def _fasttext(folder: Path) -> Sequence[bytes]:
    return [_model(quantised) for quantised in (False, True)]


def _model(
    quantised: bool, *, dim: int = 4, rows: int = 40, buckets: int = 32, part: int = 2, labels: int = 3
) -> bytes:
    """Return a model of 8 words; see the docstrings of ``headwater.filters.fasttext``."""
    draw = np.random.default_rng(1)
    words = [f"word{i}".encode() for i in range(8)]
    names = [*((word, 5, 0) for word in words), *((b"__label__%d" % i, 9 - i, 1) for i in range(labels))]
    head = struct.pack("<2i12id", 793712314, 12, dim, 5, 1, 1, 5, 2, 1, 3, buckets, 2, 4, 100, 0.0)
    head += struct.pack("<3i2q", len(names), len(words), labels, 100, 0 if quantised else -1)
    entries = b"".join(name + b"\0" + struct.pack("<qb", count, kind) for name, count, kind in names)

    def dense(n_rows: int) -> bytes:
        return struct.pack("<2q", n_rows, dim) + draw.normal(size=(n_rows, dim)).astype("<f4").tobytes()

    if not quantised:
        return head + entries + b"\0" + dense(rows) + b"\0" + dense(labels)
    parts = -(-dim // part)
    codes = draw.integers(0, 256, rows * parts, dtype=np.uint8).tobytes()
    quantiser = struct.pack("<4i", dim, parts, part, dim - (parts - 1) * part)
    quantiser += draw.normal(size=dim * 256).astype("<f4").tobytes()
    matrix = struct.pack("<?2qi", False, rows, dim, len(codes)) + codes + quantiser
    return head + entries + b"\1" + matrix + b"\0" + dense(labels)


def _fasttext_by_hand() -> Sequence[bytes]:
    sound = _model(False)
    far = bytearray(_model(True))
    struct.pack_into("<i", far, 8 + 8 * 4, 1 << 28)  # buckets before pruning
    wide = _model(True, dim=16, part=16, rows=2_000_000)
    wider = _model(True, dim=4096, part=64, rows=100_000)
    return [
        b"",
        b"\0" * 100,
        sound[:40],
        bytes(far),
        wide,
        wider,
        sound + b"\0" * 100,
        struct.pack("<2i", 793712314, 12) + b"\xff" * 500,
    ]


def _read_fasttext(path: Path) -> None:
    prepare(read_model(path))


def _items(folder: Path) -> Sequence[bytes]:
    lines = [
        {"id": "a", "question": "How many hills are there by the river?", "answer": "seven"},
        {"id": "b", "question": "Which?", "choices": ["one", "two"], "answer": 1},
    ]
    sound = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return [sound, gzip.compress(sound, 1, mtime=0)]


def _mutate_lines(data: bytes, draw: random.Random) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return mutate_bytes(data, draw)
    lines = data.splitlines()
    at = draw.randrange(len(lines))
    lines[at] = mutate_json(lines[at], draw)
    changed = b"\n".join(lines * draw.choice((1, 1, 1, 100))) + b"\n"
    return gzip.compress(changed, 1, mtime=0) if draw.random() < 0.1 else changed


def _stored(folder: Path) -> Sequence[bytes]:
    item = Item(name="a", question="How many?", answers=("7", "8"), known=True)
    stored = store_set(str(folder), "set", [item, item])
    with _LOCAL.open_input_stream(stored.uri, compression="zstd") as stream:
        return [stream.read()]


def _load_stored(path: Path) -> None:
    """Load a set that is what its name says: what is hostile is in the lines, or in the compressed file."""
    data = path.read_bytes()
    broken = data.startswith(b"\x28\xb5\x2f\xfd")
    target = path.with_name("hostile.zst")
    target.write_bytes(data if broken else pa.Codec("zstd").compress(data, asbytes=True))
    load_benchmark(StoredSet(name="set", sha256=hashlib.sha256(data).hexdigest(), uri=str(target)))


def _stored_by_hand() -> Sequence[bytes]:
    head = b'{"format":1,"name":"set","items":1}\n'
    blank = pa.Codec("zstd").compress(bytes(1 << 24), asbytes=True)
    return [
        *(
            b"",
            b"\n",
            b"null\n",
            b"[]\n",
            head + b"null\n",
            head + b"[]\n",
            head + b'{"item":1}\n',
            head + b"\n" * 1000,
            b'{"format":2}\n',
        ),
        *(
            blank * 256,
            blank[:50],
            head + b"[" * 100_000,
            head + b'{"item":"a","question":"b","answers":[1],"known":true}\n',
        ),
    ]


def _placements(folder: Path) -> Sequence[bytes]:
    return [
        Path(folder / "table" / write(str(folder / "table"), family, [0, 1], 50).path).read_bytes()
        for family in ("placements", "verdicts")
    ]


def _read_family(path: Path) -> None:
    """Read a file as both families: one of the two is a stranger's file in its place."""
    faults = []
    for family in ("placements", "verdicts"):
        folder = path.parent / f"family={family}"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / path.name)
        try:
            for table in read_file(str(path.parent), f"family={family}/{path.name}"):
                table.validate(full=True)
        except Exception as error:
            faults.append(error)
    unexpected = [fault for fault in faults if not isinstance(fault, HeadwaterError)]
    if unexpected or len(faults) == 2:
        raise [*unexpected, *faults][0]


def _stage(folder: Path) -> Path:
    place = folder / "stage"
    if not place.exists():
        write_folder(place, [6], suffixes=(".bin", ".tokens.parquet"))
    return place


def _stage_files(ending: str) -> Callable[[Path], Sequence[bytes]]:
    return lambda folder: [path.read_bytes() for path in sorted(_stage(folder).glob(f"*{ending}"))]


def _shard_record(folder: Path) -> Sequence[bytes]:
    manifest = json.loads((_stage(folder) / "manifest.json").read_bytes())
    return [json.dumps({"format": manifest["format"], **shard}).encode() for shard in manifest["shards"]]


def _read_tokens(path: Path) -> None:
    tokens = open_tokens(_LOCAL, str(path))
    tokens.read(0, tokens.n_tokens)


def _lake(folder: Path) -> Path:
    place = folder / "lake"
    if not place.exists():
        create_lake(str(place))
        for number in (1, 2, 3):
            snapshot = open_snapshot(str(place))
            files = [write(snapshot.uri, family, [number]) for family in ("content", "language")]
            commit(snapshot, adds=files, wave=(f"fuzz-{number}", 1), lake=str(place))
        open_snapshot(str(place)).delta.create_checkpoint()
    return place / "samples" / "_delta_log"


_LOG: Final = "lake/samples/_delta_log"


def _open_lake(path: Path) -> None:
    snapshot = open_snapshot(str(path.parents[2]))
    list(snapshot.locate(snapshot.covered("content"), ["language"]))


def _open_log(path: Path) -> None:
    """Open a lake without its checkpoint, so that the log is read."""
    for other in (*path.parent.glob("*.parquet"), path.parent / "_last_checkpoint"):
        other.unlink(missing_ok=True)
    _open_lake(path)


def _log_file(name: str) -> Callable[[Path], Sequence[bytes]]:
    return lambda folder: [(_lake(folder) / name).read_bytes()]


_RULES: Final = (
    '{"sets": ["default"], "limits": {"gopher_min_words": 30, "gopher_min_stop_words": {"default": 2, "de": 1}}, '
    '"exempt": {"gopher_min_words": ["code", "math"]}}'
)


def _read_rules(path: Path) -> None:
    """Read what a recipe may say of rules, out of JSON."""
    try:
        given = parse_json(path.read_bytes())
    except ValueError as error:
        raise UsageError(str(error)[:200]) from None
    if not isinstance(given, dict) or not isinstance(given.get("sets"), list):
        raise UsageError("no rules")
    if not all(isinstance(given.get(key), dict) for key in ("limits", "exempt")):
        raise UsageError("no rules")
    load_rules([str(name) for name in given["sets"]], given["limits"], given["exempt"])


_PREDICATES: Final = (
    b"language IN ('en', 'de') AND quality > 3",
    b"CASE WHEN domain = 'code' THEN n_tokens * 2 > 7 ELSE NOT contamination_overlap BETWEEN 0.1 AND 1 END",
    b"coalesce(quality, 0) + abs(-3) >= least(n_tokens, 5) OR lower(source) LIKE 'a%'",
)
_WORDS: Final = (
    *(
        "(",
        ")",
        "'",
        '"',
        ",",
        ";",
        "--",
        "/*",
        "*",
        "$1",
        "NULL",
        "1e999",
        "9" * 400,
        "SELECT",
        "FROM",
        "x",
        "(SELECT 1)",
        "random()",
        "now()",
    ),
    *(
        "read_text('/etc/passwd')",
        "CAST(",
        "AS INTEGER)",
        "COLLATE NOCASE",
        "[1]",
        "{'a': 1}",
        "OVER ()",
        "::INT",
        "IS NULL",
        "NOT " * 1500,
    ),
    *(
        "(" * 2000,
        "+1" * 2000,
        "lambda x: x",
        "?",
        "\\",
        "\0",
        "é",
        "𝒳",
        "INTERVAL 1 DAY",
        "DATE '2020-01-01'",
        "**",
        "<<",
        "~",
        "!~~",
        "||",
    ),
)


def _mutate_predicate(data: bytes, draw: random.Random) -> bytes:
    parts = data.decode().split(" ")
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(parts))
        parts[at : at + draw.choice((0, 1, 1, 2))] = [draw.choice((*_WORDS, *parts))]
    return " ".join(parts).encode()


def _read_predicate(path: Path) -> None:
    columns = {
        name: RULE_COLUMNS[name]
        for name in ("language", "domain", "source", "quality", "n_tokens", "contamination_overlap")
    }
    check_predicate(path.read_bytes().decode(errors="replace"), columns, "where")


def _read_numbers(path: Path) -> None:
    text = path.read_bytes().decode(errors="replace")
    faults = []
    for parse in (parse_number, parse_values):
        try:
            parse(text)
        except UsageError as error:
            faults.append(error)
    if len(faults) == 2:
        raise faults[0]


def _toml(names: Sequence[str], folder: Path) -> Callable[[Path], Sequence[bytes]]:
    return lambda _: [(folder / f"{name}.toml").read_bytes() for name in names]


_TAKEDOWN: Final = "20270131T120000-0123abcd"


def _takedown(folder: Path) -> Sequence[bytes]:
    record = Record(takedown=_TAKEDOWN, who="who", why="why", asked_at="2027-01-31T12:00:00+00:00", request="ab")
    record.samples, record.records, record.due = [7, 9], [[3, 4]], record.asked_at
    write_record(str(folder / "lake"), record)
    return [(folder / "lake" / "takedowns" / f"{_TAKEDOWN}.json").read_bytes()]


def _with_digest(**changes: Any) -> bytes:  # Any: values that do not belong there
    """Return a record that is whole in itself and says something that none says."""
    record = Record(takedown=_TAKEDOWN, who="who", why="why", asked_at="", request="")
    told = {"format": 2, **asdict(record)} | changes
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()
    return json.dumps(told | {"digest": digest}).encode()


_NO_SAMPLES: Final[tuple[object, ...]] = ("x", None, [1.5], [-1], [1 << 70], [[1]], {"a": 1}, 7)
_NO_PAIRS: Final[tuple[object, ...]] = ([[1]], [1], [["a", "b"]], None)
_NO_TIMES: Final[tuple[object, ...]] = ("tomorrow", 7, [], "9" * 100_000)
_NO_TEXTS: Final[tuple[object, ...]] = (None, 7, [])


def _takedown_by_hand() -> Sequence[bytes]:
    return [
        *(
            b"{}",
            b"[]",
            b"null",
            b"[" * 100_000,
            b"{" * 100_000,
            b"\xff",
            b"",
            b"9" * 10_000,
            b"[" + b"0," * 16_000_000 + b"0]",
        ),
        *(_with_digest(samples=value) for value in _NO_SAMPLES),
        *(_with_digest(records=value) for value in _NO_PAIRS),
        *(_with_digest(due=value) for value in _NO_TIMES),
        *(_with_digest(who=value) for value in _NO_TEXTS),
        *(_with_digest(state="gone"), _with_digest(takedown="another"), _with_digest(more=1), _with_digest(format=3)),
    ]


def _verified(folder: Path) -> Sequence[bytes]:
    (folder / "lake").mkdir(exist_ok=True)
    told = {"format": 2, "version": 3, "manifests": {"build/stage": "ab" * 32}}
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()
    return [json.dumps(told | {"digest": digest}).encode(), b'{"format": 1, "version": 3, "manifests": {}}']


TARGETS: Final = (
    Target(name="recipe", seeds=_toml(shipped_recipes(), _RECIPES), mutate=mutate_toml, parse=load_recipe),
    Target(
        name="vocabulary recipe",
        seeds=_toml(shipped_vocabulary_recipes(), _RECIPES / "vocabularies"),
        mutate=mutate_toml,
        parse=load_vocabulary_recipe,
    ),
    Target(name="rules", seeds=lambda _: [_RULES.encode()], mutate=mutate_json, parse=_read_rules, names_file=False),
    Target(
        name="predicate", seeds=lambda _: _PREDICATES, mutate=_mutate_predicate, parse=_read_predicate, names_file=False
    ),
    Target(
        name="numbers",
        seeds=lambda _: (b"10:50:20", b"0.1,0.2,3", b"1e-5"),
        mutate=mutate_bytes,
        parse=_read_numbers,
        hostile=lambda: (
            b"1e999",
            b"1e1000000000",
            b"0:1e38:1e-300",
            b"9" * 100_000,
            b"1:2:nan",
            b"," * 100_000,
            b"1_0:20:1",
        ),
        names_file=False,
    ),
    Target(
        name="tokenizer.json",
        seeds=lambda _: [write_tokenizer_json(_vocabulary()).encode()],
        mutate=mutate_json,
        parse=_load,
        hostile=_tokenizer_by_hand,
        file_name="tokenizer.json",
    ),
    Target(
        name="tiktoken ranks",
        seeds=_ranks,
        mutate=mutate_bytes,
        parse=_load,
        hostile=_ranks_by_hand,
        file_name="ranks.tiktoken",
    ),
    Target(
        name="tiktoken settings",
        seeds=_settings,
        mutate=mutate_json,
        parse=lambda path: _load(path.with_name("ranks.tiktoken")),
        hostile=_settings_by_hand,
        file_name="ranks.tiktoken.json",
        names_file=False,
    ),
    Target(
        name="own vocabulary",
        seeds=lambda _: [write_vocabulary(_vocabulary())],
        mutate=_mutate_packed,
        parse=_load,
        hostile=_own_by_hand,
        file_name="own.json.xz",
    ),
    Target(name="fastText", seeds=_fasttext, mutate=mutate_bytes, parse=_read_fasttext, hostile=_fasttext_by_hand),
    Target(
        name="evaluation items",
        seeds=_items,
        mutate=_mutate_lines,
        parse=lambda path: read_items(str(path), ItemFields()),
        file_name="items.jsonl",
    ),
    Target(name="evaluation set", seeds=_stored, mutate=_mutate_lines, parse=_load_stored, hostile=_stored_by_hand),
    Target(
        name="manifest",
        seeds=_stage_files("manifest.json"),
        mutate=mutate_json,
        parse=lambda path: read_manifest(path.read_bytes(), str(path)),
    ),
    Target(
        name="shard record",
        seeds=_shard_record,
        mutate=mutate_json,
        parse=lambda path: read_shard(path.read_bytes(), str(path)),
    ),
    Target(
        name="web archive",
        seeds=archives,
        mutate=mutate_archive,
        parse=read_archive,
        hostile=archives_by_hand,
        allowed=(),
    ),
    Target(name="families", seeds=_placements, mutate=mutate_bytes, parse=_read_family),
    Target(
        name="sidecar",
        seeds=_stage_files(".boundaries.parquet"),
        mutate=mutate_bytes,
        parse=lambda path: read_sidecar(_LOCAL, str(path), sequences=6, context=32),
    ),
    Target(
        name="tokens",
        seeds=_stage_files(".tokens.parquet"),
        mutate=mutate_bytes,
        parse=_read_tokens,
        file_name="hostile.tokens.parquet",
    ),
    Target(
        name="log",
        seeds=_log_file(f"{2:020d}.json"),
        mutate=_mutate_lines,
        parse=_open_log,
        file_name=f"{_LOG}/{2:020d}.json",
        names_file=False,
    ),
    Target(
        name="last checkpoint",
        seeds=_log_file("_last_checkpoint"),
        mutate=mutate_json,
        parse=_open_lake,
        file_name=f"{_LOG}/_last_checkpoint",
        names_file=False,
    ),
    Target(
        name="checkpoint",
        seeds=lambda folder: [path.read_bytes() for path in _lake(folder).glob("*.checkpoint.parquet")],
        mutate=mutate_bytes,
        parse=_open_lake,
        file_name=f"{_LOG}/{3:020d}.checkpoint.parquet",
        names_file=False,
    ),
    Target(
        name="takedown record",
        seeds=_takedown,
        mutate=mutate_json,
        parse=lambda path: read_records(str(path.parents[1])),
        hostile=_takedown_by_hand,
        file_name=f"lake/takedowns/{_TAKEDOWN}.json",
    ),
    Target(
        name="verified record",
        seeds=_verified,
        mutate=mutate_json,
        parse=lambda path: read_verified(str(path.parent)),
        file_name="lake/verified.json",
    ),
    *PAGES,
)
