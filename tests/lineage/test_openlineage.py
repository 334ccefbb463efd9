"""OpenLineage: events of a whole small run, read back by the client's own classes; failures, endpoints, and what must not be in them."""

from __future__ import annotations

import http.server
import importlib
import json
import pkgutil
import signal
import subprocess
import sys
import threading
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headwater.errors import CorruptLakeError, RecipeError, UsageError
from headwater.lineage.build_records import recorded_files
from headwater.lineage.openlineage.columns import SOURCES, STEPS, sources_of
from headwater.lineage.openlineage.datasets import input_folders
from headwater.lineage.openlineage.emitter import run_uuid
from headwater.lineage.openlineage.places import Endpoint, events_place
from headwater.lineage.openlineage.sender import Sender
from headwater.lineage.past_runs import read_runs
from headwater.lineage.run_events import events_to, listener
from headwater.lineage.runs import begin_run, finish_run
from headwater.pipelines.recipe.job import parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

Event = dict[str, Any]  # Any: an event nests objects, lists and texts
VARIABLES = (
    "HEADWATER_OPENLINEAGE_URL",
    "OPENLINEAGE_URL",
    "OPENLINEAGE_ENDPOINT",
    "OPENLINEAGE_API_KEY",
    "OPENLINEAGE_DISABLED",
    "OPENLINEAGE_NAMESPACE",
    "OPENLINEAGE_PARENT_ID",
    *(f"OPENLINEAGE__TRANSPORT__{name}" for name in ("TYPE", "URL", "ENDPOINT", "TIMEOUT", "AUTH", "LOG_FILE_PATH")),
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no setting of whoever runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def _read(file: Path) -> list[Event]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _by_run(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event["run"]["runId"], []).append(event)
    return found


def _tag(event: Event, key: str) -> str | None:
    tags = {tag["key"]: tag["value"] for tag in event["run"]["facets"]["tags"]["tags"]}
    return tags.get(key)


def _of(event: Event, family: str, side: str = "outputs") -> Event:
    (found,) = [each for each in event[side] if each["name"].endswith(f"/family={family}")]
    return dict(found)


# A whole small run.


@pytest.fixture(scope="module")
def events(finished_lake: SmallLake) -> list[Event]:
    """The events of the runs that made the small lake."""
    return _read(finished_lake.events)


@pytest.mark.spark
def test_every_start_is_closed(events: list[Event]) -> None:
    """Each run has one START, first, and one COMPLETE, last; what is between says that it goes on."""
    for told in _by_run(events).values():
        assert [each["eventType"] for each in (told[0], told[-1])] == ["START", "COMPLETE"]
        assert {each["eventType"] for each in told[1:-1]} <= {"RUNNING"}
        assert [each["eventTime"] for each in told] == sorted(each["eventTime"] for each in told)
    assert any(each["eventType"] == "RUNNING" for each in events)


@pytest.mark.spark
def test_steps_come_in_order_below_their_job(finished_lake: SmallLake, events: list[Event]) -> None:
    """The steps of a whole run come in its order and name it as their parent; a step alone has none."""
    starts = [each for each in events if each["eventType"] == "START"]
    assert [each["job"]["name"].rpartition(".")[2] for each in starts] == [
        *("ingest", "run", "ingest"),
        *("annotate", "deduplicate", "decide", "select", "build"),
    ]
    alone, whole, *steps = starts
    assert "parent" not in alone["run"]["facets"]
    for step in steps:
        parent = step["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == whole["run"]["runId"]
        assert parent["job"] == {"namespace": "headwater", "name": f"{finished_lake.folder}.run"}
    assert events[-1]["run"]["runId"] == whole["run"]["runId"]


@pytest.mark.spark
def test_runs_are_those_of_the_lake(finished_lake: SmallLake, events: list[Event]) -> None:
    """Each run that the lake records has its events, under an id that follows from its own, over the version that it read."""
    runs = {run.run_id: run for run in read_runs(open_snapshot(str(finished_lake.folder)))}
    told = {_tag(each, "run_id"): each for each in events if each["eventType"] == "COMPLETE" and _tag(each, "run_id")}
    assert set(told) == set(runs)
    for run_id, event in told.items():
        run = runs[str(run_id)]
        assert event["run"]["runId"] == run_uuid(run.run_id)
        assert _tag(event, "input_version") == str(run.input_version)
        of_lake = [each for each in event["inputs"] if "version" in each["facets"]]
        assert {each["facets"]["version"]["datasetVersion"] for each in of_lake} <= {str(run.input_version)}
        if run.step not in {"ingest", "upgrade"}:
            assert {each["name"].rpartition("=")[2] for each in of_lake} <= set(STEPS[run.step].reads)
            assert of_lake


@pytest.mark.spark
def test_statistics_are_those_of_the_table(finished_lake: SmallLake, events: list[Event]) -> None:
    """Rows, bytes and files of what a step wrote are those that the log has of it."""
    snapshot = open_snapshot(str(finished_lake.folder))
    for event in events:
        if event["eventType"] != "COMPLETE" or not event["job"]["name"].endswith((".annotate", ".decide")):
            continue
        for output in event["outputs"]:
            family = output["name"].rpartition("=")[2]
            live, told = snapshot.live(family), output["outputFacets"]["outputStatistics"]
            if family == "runs":
                continue
            assert told["rowCount"] == sum(live["rows"].to_pylist()), family
            assert told["size"] == sum(live["size"].to_pylist()), family
            assert told["fileCount"] == live.num_rows, family
            assert output["facets"]["symlinks"]["identifiers"][0]["name"] == snapshot.uri
            version = int(output["facets"]["version"]["datasetVersion"])
            assert 0 < version <= snapshot.version


@pytest.mark.spark
def test_counts_are_those_of_the_verdicts(finished_lake: SmallLake, events: list[Event]) -> None:
    """The quality facet of verdicts says how many samples were kept, as the table does."""
    (event,) = [each for each in events if each["eventType"] == "COMPLETE" and each["job"]["name"].endswith(".decide")]
    quality = _of(event, "verdicts")["facets"]["dataQualityMetrics"]
    from headwater.lineage.views import connect

    with connect(str(finished_lake.folder)) as connection:
        found = connection.execute(
            "SELECT count(*), count(*) FILTER (kept), count(first_reason) FROM verdicts"
        ).fetchone()
    metrics = quality["columnMetrics"]
    assert found == (quality["rowCount"], metrics["kept"]["sum"], metrics["first_reason"]["count"])


@pytest.mark.spark
def test_an_ingest_names_folders_of_inputs(finished_lake: SmallLake, events: list[Event]) -> None:
    """The input of an ingest is the folder of its files, with their records, bytes and number."""
    first = next(each for each in events if each["eventType"] == "COMPLETE")
    (folder,) = first["inputs"]
    inputs = finished_lake.folder.parent / "input"
    assert (folder["namespace"], folder["name"]) == ("file", str(inputs))
    told = folder["inputFacets"]["inputStatistics"]
    assert told["fileCount"] == 2
    assert told["size"] == sum((inputs / name).stat().st_size for name in ("first.jsonl", "bad.jsonl"))
    assert told["rowCount"] == _of(first, "content")["outputFacets"]["outputStatistics"]["rowCount"]


@pytest.mark.spark
def test_a_build_names_its_stages(finished_lake: SmallLake, events: list[Event]) -> None:
    """The outputs of a build are its stages, whose versions are the manifests' SHA-256, with the sizes of their files."""
    (event,) = [each for each in events if each["eventType"] == "COMPLETE" and each["job"]["name"].endswith(".build")]
    builds = finished_lake.folder / "builds" / finished_lake.build
    stages = {Path(each["name"]).name: each for each in event["outputs"] if each["name"].startswith(str(builds))}
    assert set(stages) == {"knowledge", "mid-training"}
    snapshot = open_snapshot(str(finished_lake.folder))
    for stage, output in stages.items():
        recorded = recorded_files(snapshot, finished_lake.build, stage)
        assert recorded is not None
        assert output["facets"]["version"]["datasetVersion"] == recorded["manifest.json"]
        manifest = json.loads((builds / stage / "manifest.json").read_text("utf-8"))
        told = output["outputFacets"]["outputStatistics"]
        files = [file for shard in manifest["shards"] for file in shard["files"]]
        assert told["size"] == sum((builds / stage / file["name"]).stat().st_size for file in files)
        assert (told["rowCount"], told["fileCount"]) == (manifest["sequences"], len(files))


@pytest.mark.spark
def test_columns_come_from_columns_that_are_there(events: list[Event]) -> None:
    """Every column that lineage names is a column of its family, and a family's own columns are named with their schema."""
    looked = 0
    for event in events:
        for output in event["outputs"]:
            family = output["name"].rpartition("=")[2]
            for column, lineage in output["facets"].get("columnLineage", {"fields": {}})["fields"].items():
                assert column in {field["name"] for field in output["facets"]["schema"]["fields"]}, (family, column)
                for source in lineage["inputFields"]:
                    of = source["name"].rpartition("=")[2]
                    assert source["field"] in {*FAMILIES[of].fields, "sample_id"}, (family, column, source)
                    looked += 1
    assert looked > 100


@pytest.mark.spark
def test_lineage_of_columns_is_the_recipes(finished_lake: SmallLake) -> None:
    """What operators read by their recipe is in the lineage of their families: families of annotate, rules, stages, score models."""
    snapshot = open_snapshot(str(finished_lake.folder))
    runs = {run.step: run for run in read_runs(snapshot)}
    job = resolve(parse_recipe(runs["annotate"].recipe), str(finished_lake.folder))

    def families(family: str, step: str) -> set[str]:
        columns = FAMILIES[family].fields
        found = sources_of(job.lake, family, columns, runs[step].operators, runs[step].recipe)
        return {source.family for _, sources in found for source in sources}

    for family, reads in job.reads.items():
        assert set(reads) <= families(family, "annotate"), family
    assert set(job.decided_from) - {"tokens"} <= families("verdicts", "decide")
    scores = dict(
        sources_of(job.lake, "scores", ["quality", "domain"], runs["annotate"].operators, runs["annotate"].recipe)
    )
    assert {each.name for each in scores["quality"] if each.family == "signals"} == set(
        job.scorers["quality"].model.signals
    )
    chosen = dict(sources_of(job.lake, "stages", ["stage", "pool"], runs["select"].operators, runs["select"].recipe))
    assert {"knowledge_density", "chain_of_thought", "domain"} <= {each.name for each in chosen["stage"]}
    assert "domain" in {each.name for each in chosen["pool"]}


def test_every_family_of_measures_says_where_it_comes_from() -> None:
    """A family that a step makes of others names their columns; those that only inputs fill do not."""
    given = {"files", "quarantine", "html", "texts", "runs"}
    assert set(SOURCES) >= {family for family in FAMILIES if family not in given and FAMILIES[family].by_sample} - {
        "takedowns"
    }


# What the client's own classes read.


def _classes() -> dict[str, Any]:  # Any: classes of a package without types that are known here
    from openlineage.client import generated

    modules = [
        importlib.import_module(f"{generated.__name__}.{each.name}")
        for each in pkgutil.iter_modules(generated.__path__)
    ]
    return {
        name: kind
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type) and name.endswith("Facet")
    }


def _made(
    kind: Any, value: Any, facets: dict[str, Any]
) -> Any:  # Any: whatever an event holds, as a class of the client or plain
    """Return a value as an object of the client's class, by the types that its fields declare."""
    if typing.get_origin(kind) is not None:
        arguments = [each for each in typing.get_args(kind) if each is not type(None)]
        if isinstance(value, list) and arguments:
            inner = typing.get_args(arguments[0])[0] if typing.get_origin(arguments[0]) is list else arguments[0]
            return [_made(inner, each, facets) for each in value]
        if isinstance(value, dict) and arguments:
            inner = typing.get_args(arguments[0])[1] if typing.get_origin(arguments[0]) is dict else arguments[-1]
            return {name: _made(inner, each, facets) for name, each in value.items()}
        return value
    if isinstance(value, dict) and "_schemaURL" in value:
        kind = facets[value["_schemaURL"].rpartition("/")[2]]
    if not hasattr(kind, "__attrs_attrs__"):
        return kind(value) if isinstance(kind, type) and kind.__name__ == "EventType" else value
    hints = typing.get_type_hints(kind)
    given = {
        name.lstrip("_"): _made(hints[name], each, facets)
        for name, each in value.items()
        if name not in {"_schemaURL", "schemaURL"}
    }
    return kind(**given)


def _full(value: Any) -> Any:  # Any: JSON
    """Return JSON without empty lists and objects, which the classes add where a field is not given."""
    if isinstance(value, dict):
        found = {name: _full(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each not in ({}, [])}
    return [_full(each) for each in value] if isinstance(value, list) else value


@pytest.mark.spark
@pytest.mark.interop
def test_the_client_reads_every_event(events: list[Event]) -> None:
    """Made into objects of openlineage-python's classes, which check ids, times and names, and written again, each event is the same."""
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.serde import Serde

    facets = _classes()
    used: set[str] = set()
    for event in events:
        again = Serde.to_dict(_made(RunEvent, event, facets))
        assert _full(again) == _full(event)
        used |= {name for each in (*event["inputs"], *event["outputs"]) for name in each["facets"]}
        used |= {*event["run"]["facets"], *event["job"]["facets"]}
    assert used >= {
        "columnLineage",
        "dataQualityMetrics",
        "parent",
        "schema",
        "version",
        "jobType",
        "processing_engine",
    }


# How runs end.


def _told(lake: SmallLake, file: Path, error: BaseException) -> list[Event]:
    snapshot = open_snapshot(str(lake.folder))

    def fail() -> None:
        with events_to(str(file)):
            begin_run(snapshot.lake, "annotate", {}, {}, snapshot.version)
            raise error

    with pytest.raises(type(error)):
        fail()
    return _read(file)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            CorruptLakeError("expected s3://key:geheim@box/lake?secret=geheim, found none"),
            "FAIL",
            "CorruptLakeError: expected s3://box/lake, found none",
        ),
        (ValueError("a text of a document"), "FAIL", "ValueError"),
        (SystemExit(128 + signal.SIGTERM), "ABORT", "SystemExit"),
        (KeyboardInterrupt(), "ABORT", "KeyboardInterrupt"),
    ],
)
def test_a_failure_is_told(
    finished_lake: SmallLake, tmp_path: Path, error: BaseException, kind: str, message: str
) -> None:
    """A run that fails ends in FAIL with the reason, of errors that may hold a text only its kind; one ended by a signal in ABORT."""
    start, end = _told(finished_lake, tmp_path / "events", error)
    assert (start["eventType"], end["eventType"]) == ("START", kind)
    assert end["run"]["facets"]["errorMessage"]["message"] == message
    assert "geheim" not in (tmp_path / "events").read_text("utf-8")
    assert listener() is None


@pytest.mark.spark
def test_a_run_without_work_completes(finished_lake: SmallLake, tmp_path: Path) -> None:
    """A step that found nothing to do has written nothing, and its run is closed all the same."""
    snapshot = open_snapshot(str(finished_lake.folder))
    with events_to(str(tmp_path / "events")):
        finish_run(begin_run(snapshot.lake, "deduplicate", {}, {}, snapshot.version), snapshot)
    start, end = _read(tmp_path / "events")
    assert (start["eventType"], end["eventType"], end["outputs"]) == ("START", "COMPLETE", [])
    assert {each["name"].rpartition("=")[2] for each in start["inputs"]} == {"content", "minhash", "captures"}


@pytest.mark.spark
def test_who_started_the_job_is_its_parent(
    finished_lake: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENLINEAGE_PARENT_ID and OPENLINEAGE_NAMESPACE, which schedulers set, are in the events."""
    above = "0190f7e4-6b8a-7c3e-9d2f-1a2b3c4d5e6f"
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/nightly.lake/{above}")
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "data")
    start, _ = _told(finished_lake, tmp_path / "events", ValueError())
    assert start["job"]["namespace"] == "data"
    parent = start["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (above, "nightly.lake")
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", "airflow/nightly/7")
    with pytest.raises(UsageError, match="OPENLINEAGE_PARENT_ID"), events_to(str(tmp_path / "events")):
        pass


# Where events go.


class _Taker(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    taken: typing.ClassVar[list[tuple[str, str | None, Event]]] = []
    status = 201

    def do_POST(self) -> None:
        """Take an event."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, self.headers.get("Authorization"), json.loads(body)))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Taker]]]:
    """An endpoint on this machine, and what it takes."""

    class Taker(_Taker):
        taken: typing.ClassVar[list[tuple[str, str | None, Event]]] = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", Taker
        running.shutdown()


@pytest.mark.spark
def test_an_endpoint_takes_events(
    finished_lake: SmallLake,
    server: tuple[str, type[_Taker]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each event is a request with the key of the environment, to the path that OpenLineage's client uses; an answer that refuses is said once."""
    url, taker = server
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "schluessel")
    snapshot = open_snapshot(str(finished_lake.folder))
    with events_to():
        finish_run(begin_run(snapshot.lake, "decide", {}, {}, snapshot.version), snapshot)
    assert [(path, key) for path, key, _ in taker.taken] == [("/api/v1/lineage", "Bearer schluessel")] * 2
    assert [event["eventType"] for _, _, event in taker.taken] == ["START", "COMPLETE"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(taker, "status", 503)
    with events_to():
        finish_run(begin_run(snapshot.lake, "decide", {}, {}, snapshot.version), snapshot)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "503" in said
    assert "schluessel" not in said


def test_an_endpoint_that_is_down_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is said once; events that end no run are not tried again within a minute."""
    tries: list[float] = []
    now = [0.0]

    def clock() -> float:
        tries.append(now[0])
        return now[0]

    sender = Sender(Endpoint(url="http://127.0.0.1:9/api/v1/lineage", timeout_s=1), clock)
    for kind in ("START", "RUNNING", "COMPLETE", "RUNNING"):
        sender.send({"eventType": kind})
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "127.0.0.1:9" in said
    assert "the job goes on" in said
    assert len(tries) == 5  # a failure each of START and COMPLETE, and three looks at the pause


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file whose folder went away is said once."""
    sender = Sender(tmp_path / "gone" / "events")
    sender.send({"eventType": "START"})
    sender.send({"eventType": "COMPLETE"})
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("variables", "given", "recipes", "place"),
    [
        ({}, None, None, None),
        ({}, "{0}/a", "{0}/b", "{0}/a"),
        ({"HEADWATER_OPENLINEAGE_URL": "{0}/c"}, None, "{0}/b", "{0}/c"),
        ({"HEADWATER_OPENLINEAGE_URL": "{0}/c"}, "file://{0}/a", None, "{0}/a"),
        ({"OPENLINEAGE_URL": "http://marquez:5000"}, None, None, "http://marquez:5000/api/v1/lineage"),
        ({"OPENLINEAGE_URL": "http://m/", "OPENLINEAGE_ENDPOINT": "/in"}, None, "{0}/b", "http://m/in"),
        ({"OPENLINEAGE_URL": "http://m", "OPENLINEAGE_DISABLED": "true"}, "{0}/a", None, None),
        (
            {"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": "{0}/d"},
            None,
            None,
            "{0}/d",
        ),
        (
            {"OPENLINEAGE__TRANSPORT__TYPE": "http", "OPENLINEAGE__TRANSPORT__URL": "https://m/api/v1/lineage"},
            None,
            None,
            "https://m/api/v1/lineage",
        ),
        ({}, None, "{0}/b", "{0}/b"),
    ],
)
def test_places(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    given: str | None,
    recipes: str | None,
    place: str | None,
) -> None:
    """The command line comes before the environment, the environment before the recipe."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    found = events_place(given and given.format(tmp_path), recipes and recipes.format(tmp_path))
    shown = found.url if isinstance(found, Endpoint) else None if found is None else str(found)
    assert shown == (place and place.format(tmp_path))


def test_a_key_of_the_transport_is_used_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's AUTH gives the key; an endpoint shown in a message is without it."""
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", "https://m")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TIMEOUT", "2.5")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__AUTH", '{"type": "api_key", "apiKey": "schluessel"}')
    found = events_place(None, None)
    assert isinstance(found, Endpoint)
    assert (found.api_key, found.timeout_s) == ("schluessel", 2.5)
    assert "schluessel" not in repr(found)


@pytest.mark.parametrize(
    "place",
    ["ftp://host/x", "http://", "http://user:pass@host", "https://host/?key=x", "http://host:port", "/nowhere/events"],
)
def test_what_is_no_place_is_refused(place: str) -> None:
    """A place that takes no events is refused before anything runs, and a password in one is not repeated."""
    with pytest.raises(UsageError, match="--openlineage") as raised:
        events_place(place, None)
    assert "pass" not in str(raised.value).replace("password", "")


def test_the_recipe_names_a_place_outside_its_identity(tmp_path: Path) -> None:
    """``[lineage]`` is read and checked, and the fingerprint is that of the recipe without it."""
    from small_lake import small_recipe

    bare = small_recipe()
    told = parse_recipe({**bare.literals, "lineage": {"openlineage": str(tmp_path / "events")}})
    assert told.lineage.openlineage == str(tmp_path / "events")
    assert (told.fingerprint, told.literals) == (bare.fingerprint, bare.literals)
    with pytest.raises(RecipeError, match="openlineage"):
        parse_recipe({**bare.literals, "lineage": {"openlineage": "ftp://x"}})


def test_many_folders_of_inputs_become_few() -> None:
    """Of more than a hundred folders the ones above are named, and nothing is lost of their counts."""
    folders = input_folders([(f"s3://box/crawl/{number}/part.jsonl", 2, 10) for number in range(500)])
    assert [(each["namespace"], each["name"]) for each in folders] == [("s3://box", "crawl")]
    told = folders[0]["inputFacets"]["inputStatistics"]
    assert (told["rowCount"], told["size"], told["fileCount"]) == (1000, 5000, 500)


def test_nothing_is_imported_where_nobody_asked() -> None:
    """A program that runs without events has loaded nothing of them."""
    program = (
        "import sys, headwater.lineage.runs as _; from headwater.lineage.run_events import events_to\n"
        "with events_to(): pass\n"
        "print([name for name in sys.modules if name.startswith('headwater.lineage.openlineage')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
