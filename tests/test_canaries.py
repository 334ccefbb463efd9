"""Every byte that a lake and its commands write is looked through for canaries: texts, URLs' passwords and keys stay where they belong.

Personal data and secrets of every type are canaries as well: found, counted and masked, their values are nowhere but in the text.

A text may be in ``content.text`` alone, a document's URL and its other fields in ``content.uri`` and ``content.meta``; the password in a
document's URL and the secrets of whoever runs Headwater nowhere.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import main_job
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from small_lake import small_recipe

from headwater.cli.root import cli
from headwater.errors import HeadwaterError
from headwater.fingerprint import canonical_json
from headwater.warehouse.filesystem import filesystem_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

TEXT = "kanarienvogel"
REFUSED = "zeisigvogel"
ID = "stieglitzvogel"
PASSWORD = "passwortvogel"  # noqa: S105 - a canary
META = "metavogel"
KEY = "schluesselvogel"
SECRETS = (PASSWORD, KEY)
_PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
PERSONAL = {
    "email": "zaunkoenig@wiedehopf-eisvogel.org",
    "email_obfuscated": "neuntoeter [at] wiedehopf [dot] org",
    "ip": "85.214.132.117",
    "phone": "+49 30 901820",
    "iban": "DE89370400440532013000",
    "card": "4539578763621486",
    "national_id": "81236000549",
    "api_key": "ghp_" + "x7Qm2vK9pLs4Tn8RbW3c" + "Zd6FgH1jYe5Ua0Ri",
    "password": "Kz7vQm2xWp9LtB4n",
    "private_key": _PEM_BODY,
}
"""Type → a value of it; none is anyone's."""
_SENTENCES = f"""
Write to {PERSONAL["email"]} or {PERSONAL["email_obfuscated"]}, phone {PERSONAL["phone"]}.
The login came from {PERSONAL["ip"]} yesterday.
IBAN {PERSONAL["iban"]}, credit card {PERSONAL["card"]}, Steuer-ID: {PERSONAL["national_id"]}.
key {PERSONAL["api_key"]} and password = "{PERSONAL["password"]}"
-----BEGIN PRIVATE KEY-----
{_PEM_BODY}
-----END PRIVATE KEY-----
"""
ALL = (TEXT, REFUSED, ID, PASSWORD, META, KEY, *PERSONAL.values())
ASKED = {"why": {ID, META}, "find uri": {ID}}
"""What a question asks for."""


@dataclass(kw_only=True, slots=True)
class Canaries:
    """A lake made of texts with canaries, and what each command said."""

    lake: Path
    build: str
    said: dict[str, str] = field(default_factory=dict)


def _toml(value: object) -> str:
    """Return a value of a recipe as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def write_recipe(folder: Path) -> Path:
    """Write the small lake's recipe without its evaluation sets, and return the file."""
    recipe = folder / "recipe.toml"
    literals = dict(small_recipe().literals)
    literals["spans"] = {"personal": {"phone": "keep", "ip": "drop"}, "secrets": {}}
    recipe.write_text(
        "\n".join(f"{key} = {_toml(value)}" for key, value in literals.items() if key != "contamination"), "utf-8"
    )
    return recipe


def write_inputs(folder: Path) -> None:
    """Write documents that hold canaries in their texts, URLs and other fields, records that are refused, and a file that is none."""
    folder.mkdir()
    lines = []
    for number, document in enumerate(main_job.documents()[:40:2]):
        url = f"https://reader:{PASSWORD}@site.example.org:8443/{ID}/{number}"
        text = f"{document['text']}\nThe {TEXT} sang in the morning.{_SENTENCES}"
        lines.append(json.dumps({"text": text, "url": url, "note": f"{META} {number}"}))
    lines.append(json.dumps({"text": 7, "url": f"https://site.example.org/{REFUSED}"}))
    lines.append(f'{{"text": "{REFUSED} without an end')
    (folder / "birds.jsonl").write_bytes(
        "\n".join(lines).encode() + b'\n{"text": "' + REFUSED.encode() + b' \xff\xfe"}\n'
    )
    (folder / "broken.parquet").write_bytes(b"PAR1" + REFUSED.encode() * 9)
    (folder / "broken.jsonl.gz").write_bytes(gzip.compress(REFUSED.encode() * 99)[:-9])


@pytest.fixture(scope="module")
def canaries(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    """A lake of canaries, made and asked by the command line with secrets in its environment."""
    root = tmp_path_factory.mktemp("canaries")
    write_inputs(root / "in")
    recipe = write_recipe(root)
    lake = root / "lake"
    made = Canaries(lake=lake, build="birds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
        patch.setenv("AWS_SESSION_TOKEN", KEY)
        patch.setenv("OPENLINEAGE_API_KEY", KEY)
        run = ["run", str(lake), str(recipe), "--input", str(root / "in"), "--build", made.build]
        commands = {
            "run": [*run, "--conf", f"spark.hadoop.fs.s3a.secret.key={KEY}", "--openlineage", str(root / "events")],
            "run again": run,
            "runs": ["runs", str(lake), "--output", "json"],
            "report": ["report", "funnel", str(lake), "--build", made.build],
            "report personal": ["report", "personal", str(lake)],
            "report personal as JSON": ["report", "personal", str(lake), "--output", "json"],
            "card": ["card", str(lake)],
            "card as Croissant": ["card", str(lake), "--format", "croissant"],
            "verify": ["verify", str(lake)],
            "maintain": ["maintain", str(lake)],
            "sql": ["sql", str(lake), "SELECT tex FROM content"],
            "find": ["find", str(lake), "--uri", f"https://reader:{PASSWORD}@site.example.org:8443/nothing"],
            "why": ["why", str(lake), "--sample", "0"],
            "find uri": ["find", str(lake), "--host", "site.example.org"],
        }
        for name, arguments in commands.items():
            done = CliRunner().invoke(cli, arguments)
            assert done.exception is None or isinstance(done.exception, SystemExit), (name, done.exception)
            made.said[name] = done.output
    return made


def test_the_lake_has_canaries(canaries: Canaries) -> None:
    """Documents were kept, built and refused: what is looked for below is there to be found."""
    content = pq.read_table(next((canaries.lake / "samples" / "family=content").rglob("*.parquet")), partitioning=None)
    assert sum(TEXT in text for text in content["text"].to_pylist()) == 20
    assert all(ID in uri for uri in content["uri"].to_pylist())
    assert any(META in str(meta) for meta in content["meta"].to_pylist())
    assert list((canaries.lake / "builds" / canaries.build).rglob("*.bin"))
    assert list((canaries.lake / "samples" / "family=quarantine").rglob("*.parquet"))


def test_every_type_is_found(canaries: Canaries) -> None:
    """Family spans has every type of personal data and secrets, each with its confidence and none with an action of its own."""
    files = (canaries.lake / "samples" / "family=spans").rglob("*.parquet")
    rows = [row for path in files for row in pq.read_table(path, partitioning=None).to_pylist()]
    assert {row["operator"].partition(":")[2] for row in rows} == set(PERSONAL)
    assert all(row["confidence"] and row["action"] is None for row in rows)
    assert all(name in canaries.said["report personal"] for name in PERSONAL)


def test_commands_say_no_canary(canaries: Canaries) -> None:
    """What commands print, errors included, holds no text, no refused record, no other field, password or key; a URL where it was asked for."""
    for name, said in canaries.said.items():
        assert said, name
        shown = [canary for canary in ALL if canary in said]
        assert set(shown) <= ASKED.get(name, set()), (name, said)


def test_logs_and_builds_hold_no_canary(canaries: Canaries) -> None:
    """The log, checkpoints, manifests, provenance and records of shards hold none; nor does any file beside the table's and the shards'."""
    looked = 0
    for path in canaries.lake.rglob("*"):
        if path.is_file() and (path.suffix != ".parquet" or "_delta_log" in path.parts):
            data = path.read_bytes()
            if path.suffix == ".parquet":
                data += str(pq.read_table(path).to_pylist()).encode()
            assert not [canary for canary in ALL if canary.encode() in data], path.name
            looked += 1
    assert looked > 20


def test_columns_hold_what_they_are_for(canaries: Canaries) -> None:
    """Read out of every Parquet file, canaries are in the columns that are for them, and secrets of the environment in none."""
    where: dict[str, set[str]] = {canary: set() for canary in ALL}
    for path in canaries.lake.rglob("*.parquet"):
        if "_delta_log" in path.parts:
            continue
        table = pq.read_table(path, partitioning=None)
        family = next((part for part in path.parts if part.startswith("family=")), path.name)
        for name in table.column_names:
            values = str(table[name].to_pylist())
            for canary in ALL:
                if canary in values:
                    where[canary].add(f"{family.removeprefix('family=')}.{name}")
    assert where == {
        TEXT: {"content.text"},
        REFUSED: set(),
        ID: {"content.uri"},
        PASSWORD: set(),
        META: {"content.meta"},
        KEY: set(),
        **{value: {"content.text"} for value in PERSONAL.values()},
    }


def test_footers_hold_no_canary(canaries: Canaries) -> None:
    """No statistics and no metadata of a Parquet file hold a value of a text, a URL or another field."""
    looked = 0
    for path in canaries.lake.rglob("*.parquet"):
        data = path.read_bytes()
        size = int.from_bytes(data[-8:-4], "little")
        footer = data[-8 - size :]
        assert not [canary for canary in ALL if canary.encode() in footer], path.name
        looked += 1
    assert looked > 10


def test_run_rows_hold_no_canary(canaries: Canaries) -> None:
    """The record of what was run: recipe, operators and counts, no environment, no Spark setting, no input's text."""
    rows = [
        row
        for path in (canaries.lake / "samples" / "family=runs").rglob("*.parquet")
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
    assert len(rows) >= 6
    assert not [canary for canary in ALL if canary in canonical_json([str(row) for row in rows])]


def test_events_hold_no_canary(canaries: Canaries) -> None:
    """What OpenLineage is told of the runs is without texts, URLs' passwords, other fields, personal data and the key of its endpoint."""
    told = (canaries.lake.parent / "events").read_bytes()
    assert told.count(b"\n") > 10
    assert not [canary for canary in ALL if canary.encode() in told]


def test_a_place_with_a_key_is_no_input(tmp_path: Path) -> None:
    """An input's URI is stored with its file, so one with a secret in it is refused before anything is made."""
    recipe = write_recipe(tmp_path)
    done = CliRunner().invoke(
        cli, ["ingest", str(tmp_path / "lake"), str(recipe), "--input", f"s3://user:{KEY}@bucket/folder"]
    )
    assert done.exit_code == 2
    assert "without a password" in done.output
    assert KEY not in done.output
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    "uri",
    [
        f"nosuch://key:{KEY}@bucket/folder",
        f"s3://key:{KEY}@bucket/folder?endpoint_override=%%%",
        f"s3n://{KEY}@b/x",
        f"s3://b/x?secret_key={KEY}",
    ],
)
def test_a_place_with_a_key_is_shown_without_it(uri: str) -> None:
    """A URI that cannot be opened is named without its user, password and settings."""
    with pytest.raises(HeadwaterError) as raised:
        filesystem_of(uri)
    assert KEY not in str(raised.value)
