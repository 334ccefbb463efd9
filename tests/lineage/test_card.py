"""The data card of a build: its numbers are those of the manifests and of SQL, its forms say the same, its Croissant names every file."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from damage import take_down

from headwater.cli.card_layout import format_card
from headwater.cli.root import cli
from headwater.cli.sections import FORMS
from headwater.lake import Lake
from headwater.lineage.card.summary import public_summary
from headwater.lineage.croissant import CONFORMS_TO, croissant
from headwater.lineage.views import connect

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark

Card = dict[str, Any]  # Any: a card nests objects, lists and texts


@pytest.fixture(scope="module")
def card(finished_lake: SmallLake) -> Card:
    """The card of the small lake's build."""
    return Lake(finished_lake.folder).card(finished_lake.build)


def _one(lake: SmallLake, statement: str) -> Any:  # Any: the value of a query
    with connect(str(lake.folder)) as connection:
        found = connection.execute(statement).fetchone()
    assert found is not None
    return found if len(found) > 1 else found[0]


def test_tokens_are_those_of_the_manifests(finished_lake: SmallLake, card: Card) -> None:
    """Tokens and documents of each stage, counted from the families, are those that its shards hold."""
    for stage in card["stages"]:
        path = finished_lake.folder / "builds" / finished_lake.build / stage["stage"] / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        of_stage = [row for row in card["stage_languages"] if row["stage"] == stage["stage"]]
        assert stage["tokens"] == manifest["tokens"] == sum(row["tokens"] for row in of_stage)
        assert stage["documents"] == manifest["documents"] == sum(row["copies"] for row in of_stage)
    assert card["totals"]["tokens"] == sum(stage["tokens"] for stage in card["stages"]) > 0


def test_the_card_of_a_build_that_lost_a_sample(copied_lake: SmallLake) -> None:
    """After a takedown, which deletes files of the version that the build was made from, the card is that of the revised build."""
    record = take_down(copied_lake.folder)
    card = Lake(copied_lake.folder).card(copied_lake.build)
    assert [each["takedown"] for each in card["takedowns"]] == [record.takedown]
    test_tokens_are_those_of_the_manifests(copied_lake, card)


@pytest.mark.parametrize("table", ["sources", "licenses", "languages", "domains", "kinds"])
def test_every_table_adds_up(card: Card, table: str) -> None:
    """Sources, licences, languages, domains and kinds of input each account for all documents, bytes and tokens, and shares for one."""
    for name in ("documents", "text_bytes", "tokens"):
        assert sum(row[name] for row in card[table]) == card["totals"][name]
    assert sum(row["share"] for row in card[table]) == pytest.approx(1, abs=1e-6 * len(card[table]))


def test_counts_are_those_of_sql(finished_lake: SmallLake, card: Card) -> None:
    """What was chosen, judged, refused and clustered is what plain queries count."""
    build = f"build = '{finished_lake.build}' AND stage IS NOT NULL"
    assert card["totals"]["documents"] == _one(
        finished_lake, f"SELECT count(DISTINCT sample_id) FROM stages WHERE {build}"
    )
    assert card["totals"]["text_bytes"] == _one(
        finished_lake,
        f"SELECT sum(text_bytes) FROM content WHERE sample_id IN (SELECT sample_id FROM stages WHERE {build})",
    )
    judged = card["judged"]
    assert (judged["samples"], judged["kept"]) == _one(
        finished_lake, "SELECT count(*), count(*) FILTER (kept) FROM verdicts"
    )
    assert sum(row["first"] for row in card["filters"]) == judged["samples"] - judged["kept"]
    assert sum(row["removed"] for row in card["duplicates"]) == _one(
        finished_lake, "SELECT count(duplicate_of) FROM verdicts"
    )
    assert {row["language"]: row["documents"] for row in card["languages"]} == dict(
        _rows(
            finished_lake,
            f"SELECT language, count(DISTINCT sample_id) FROM language JOIN stages USING (sample_id) WHERE {build} GROUP BY ALL",
        )
    )
    came = card["came_in"]
    assert came["records"] == _one(finished_lake, "SELECT count(*) FROM content")
    assert sum(row["records"] for row in came["quarantined"]) == 1


def _rows(lake: SmallLake, statement: str) -> list[Any]:  # Any: rows of a query
    with connect(str(lake.folder)) as connection:
        return connection.execute(statement).fetchall()


def test_filters_have_their_limits(finished_lake: SmallLake, card: Card) -> None:
    """Every rule of the recipe is there with what passes it and its limits, those that refused nothing among them; duplicates are no rule."""
    rules = [row for row in card["filters"] if row["passes_when"] is not None]
    assert len(rules) > 20
    assert any(row["samples"] == 0 for row in rules)
    assert {row["reason"] for row in card["filters"] if row["passes_when"] is None} <= {
        "exact_duplicate",
        "near_duplicate",
    }
    fired = dict(
        _rows(
            finished_lake,
            "SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason FROM verdicts WHERE NOT kept) GROUP BY ALL",
        )
    )
    assert {row["reason"]: row["samples"] for row in card["filters"] if row["samples"]} == fired


def test_personal_data_and_evaluation_sets(card: Card) -> None:
    """What was not looked for is said to be unknown, not to be absent; an evaluation set that was is there with what was found."""
    assert card["personal"] == {"looked_for": False, "policy": {}, "found": []}
    assert card["contamination"]["looked_for"] == ["planted"]
    (found,) = card["contamination"]["found"]
    assert (found["benchmark"], found["items_found"]) == ("planted", 1)


def test_the_public_summary_has_the_templates_headings(card: Card) -> None:
    """Three parts in the template's order; what only the provider knows is said to be unknown, with what it is."""
    numbers = [section["number"] for section in card["public_summary"]]
    assert numbers == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "3.1", "3.2", "3.3"]
    entries = {each["label"]: each["value"] for section in card["public_summary"] for each in section["entries"]}
    assert entries["Training data size"].startswith("less than 1 billion tokens: ")
    unknown = [value for value in entries.values() if str(value).startswith("not known to the lake: ")]
    assert len(unknown) > 10
    assert all(len(value) > len("not known to the lake: ") for value in unknown)
    named = entries["Datasets of 3 % of the size of all, or more"]
    assert {row["name"] for row in named} <= {row["source"] for row in card["sources"]}


def test_the_summary_names_the_largest_tenth_of_domains(card: Card) -> None:
    """Of thirty domain names three are listed, and providers of small size are told how many of them are theirs."""
    largest = [
        {"name": f"site{number}.org", "text_bytes": 90 - number, "documents": 1, "tokens": 1} for number in range(3)
    ]
    found = public_summary(card | {"registered_domains": {"domains": 30, "largest_tenth": largest}})
    crawled = {
        each["label"]: each["value"] for section in found if section["number"] == "2.3" for each in section["entries"]
    }
    assert [row["domain name"] for row in crawled["Top 10 % of 30 domain names by size of content"]] == [
        "site0.org",
        "site1.org",
        "site2.org",
    ]
    assert (
        crawled["For small and medium-sized providers: the top 5 % or 1,000, whichever is lower"]
        == "the first 2 of these"
    )


def _printed(lake: SmallLake, form: str) -> str:
    done = CliRunner().invoke(cli, ["card", str(lake.folder), lake.build, "--format", form])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_form_says_the_same(finished_lake: SmallLake, card: Card) -> None:
    """Text, Markdown and HTML are laid out from the JSON answer: each has every source, stage and section of the summary."""
    assert json.loads(_printed(finished_lake, "json")) == json.loads(json.dumps(card))
    expected = [f"{card['totals']['tokens']:,} tokens", *(stage["stage"] for stage in card["stages"])]
    expected += [f"{section['number']} {section['heading']}" for section in card["public_summary"]]
    for form in FORMS:
        said = format_card(card, form)
        assert not [each for each in expected if each not in said.replace("\\", "")], form
    assert _printed(finished_lake, "md") == format_card(card, "markdown") + "\n"


def test_a_page_holds_nothing_that_runs(card: Card) -> None:
    """The page loads nothing, and a source that looks like HTML stays text."""
    said = format_card(card, "html")
    assert not re.findall(r"<script|src=|href=|url\(", said)
    hostile = [{**card["sources"][0], "source": "<script>alert(1)</script>|`x`"}]
    assert "<script>" not in format_card(card | {"sources": hostile}, "html")
    assert "\\|\\`x\\`" in format_card(card | {"sources": hostile}, "markdown")


def test_an_unknown_build_is_refused(finished_lake: SmallLake) -> None:
    """A name that is no build suggests the nearest, with exit code 2."""
    done = CliRunner().invoke(cli, ["card", str(finished_lake.folder), "smal"])
    assert done.exit_code == 2
    assert "small" in done.output


def test_croissant_names_every_file(finished_lake: SmallLake, card: Card) -> None:
    """Each file of the shards is a FileObject with the SHA-256 of its bytes, and every reference leads to something that is there."""
    found = croissant(str(finished_lake.folder), card)
    folder = finished_lake.folder / "builds" / finished_lake.build
    files = {each["contentUrl"]: each for each in found["distribution"] if each["@type"] == "cr:FileObject"}
    there = {str(path.relative_to(folder)) for path in folder.rglob("shard-*") if path.suffix != ".json"}
    assert set(files) == there
    for name, each in files.items():
        data = (folder / name).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert each["contentSize"] == f"{len(data)} B"
    sets = {each["@id"]: each for each in found["distribution"] if each["@type"] == "cr:FileSet"}
    for each in sets.values():
        assert {str(path.relative_to(folder)) for path in folder.glob(each["includes"])} <= there
    fields = [field for records in found["recordSet"] for field in records["field"]]
    assert {field["source"]["fileSet"]["@id"] for field in fields} <= set(sets)
    ids = [each["@id"] for each in (*found["distribution"], *found["recordSet"], *fields)]
    assert len(ids) == len(set(ids))
    assert found["conformsTo"] == CONFORMS_TO


def test_croissant_keeps_to_its_vocabulary(finished_lake: SmallLake) -> None:
    """What is printed is JSON-LD whose keys are the context's, schema.org's or Croissant's, with all that the specification requires."""
    found = json.loads(_printed(finished_lake, "croissant"))
    assert {
        "@context",
        "@type",
        "conformsTo",
        "name",
        "description",
        "license",
        "url",
        "creator",
        "datePublished",
    } <= set(found)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", found["datePublished"])
    for records in found["recordSet"]:
        for field in records["field"]:
            assert {"@type", "@id", "name", "dataType", "source"} <= set(field)
            assert len(field["source"]["extract"]) == 1


def test_columns_of_records_are_in_the_files(finished_lake: SmallLake, card: Card) -> None:
    """A field that is a column of Parquet names one that the files have."""
    import pyarrow.parquet as pq

    found = croissant(str(finished_lake.folder), card)
    folder = Path(finished_lake.folder) / "builds" / finished_lake.build
    sets = {each["@id"]: each["includes"] for each in found["distribution"] if each["@type"] == "cr:FileSet"}
    looked = 0
    for records in found["recordSet"]:
        for field in records["field"]:
            if (column := field["source"]["extract"].get("column")) is not None:
                file = next(folder.glob(sets[field["source"]["fileSet"]["@id"]]))
                assert column in pq.read_schema(file).names
                looked += 1
    assert looked > 3
