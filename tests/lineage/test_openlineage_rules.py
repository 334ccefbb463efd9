"""What OpenLineage's specification (2-0-2) asks of an event, in our words: required fields, forms of values, and what facets say of themselves."""

from __future__ import annotations

import copy
import datetime
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headwater.errors import CorruptLakeError
from headwater.lineage.run_events import events_to
from headwater.lineage.runs import begin_run
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once

Value = Any  # Any: what JSON can hold
Rule = Callable[[Value], bool]
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


def _text(value: Value) -> bool:
    return isinstance(value, str)


def _whole(value: Value) -> bool:
    return type(value) is int


def _number(value: Value) -> bool:
    return type(value) in (int, float)


def _uri(value: Value) -> bool:
    return _text(value) and _URI.fullmatch(value) is not None


def _moment(value: Value) -> bool:
    """A date and time of RFC 3339: with a time zone."""
    try:
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    except (ValueError, TypeError):
        return False


def _uuid(value: Value) -> bool:
    try:
        return str(uuid.UUID(value)) == value
    except (ValueError, AttributeError, TypeError):
        return False


def _a_list(of: Rule) -> Rule:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _by_name(of: Rule) -> Rule:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _object(required: dict[str, Rule], **optional: Rule) -> Rule:
    """An object that has some fields and may have others; what else it has is free."""

    def check(value: Value) -> bool:
        if not isinstance(value, dict) or not required.keys() <= value.keys():
            return False
        return all(rule(value[name]) for name, rule in {**required, **optional}.items() if name in value)

    return check


_TAG = _object({"key": _text, "value": _text}, source=_text)
_RUN_OF = _object({"runId": _uuid})
_JOB_OF = _object({"namespace": _text, "name": _text})
_INPUT_FIELD = _object(
    {"namespace": _text, "name": _text, "field": _text},
    transformations=_a_list(
        _object({"type": _text}, subtype=_text, description=_text, masking=lambda v: type(v) is bool)
    ),
)
_METRICS = _object({}, nullCount=_whole, distinctCount=_whole, sum=_number, count=_number, min=_number, max=_number)
FACETS: dict[str, tuple[str, Rule]] = {
    "processing_engine": ("ProcessingEngineRunFacet", _object({"version": _text}, name=_text)),
    "parent": (
        "ParentRunFacet",
        _object({"run": _RUN_OF, "job": _JOB_OF}, root=_object({"run": _RUN_OF, "job": _JOB_OF})),
    ),
    "errorMessage": (
        "ErrorMessageRunFacet",
        _object({"message": _text, "programmingLanguage": _text}, stackTrace=_text),
    ),
    "jobType": ("JobTypeJobFacet", _object({"processingType": _text, "integration": _text}, jobType=_text)),
    "documentation": ("DocumentationJobFacet", _object({"description": _text})),
    "version": ("DatasetVersionDatasetFacet", _object({"datasetVersion": _text})),
    "schema": (
        "SchemaDatasetFacet",
        _object({}, fields=_a_list(_object({"name": _text}, type=_text, description=_text, ordinal_position=_whole))),
    ),
    "storage": ("StorageDatasetFacet", _object({"storageLayer": _text}, fileFormat=_text)),
    "symlinks": (
        "SymlinksDatasetFacet",
        _object({}, identifiers=_a_list(_object({"namespace": _text, "name": _text, "type": _text}))),
    ),
    "columnLineage": (
        "ColumnLineageDatasetFacet",
        _object({"fields": _by_name(_object({"inputFields": _a_list(_INPUT_FIELD)}))}, dataset=_a_list(_INPUT_FIELD)),
    ),
    "dataQualityMetrics": (
        "DataQualityMetricsDatasetFacet",
        _object({"columnMetrics": _by_name(_METRICS)}, rowCount=_whole, bytes=_whole, fileCount=_whole),
    ),
    "inputStatistics": (
        "InputStatisticsInputDatasetFacet",
        _object({}, rowCount=_whole, size=_whole, fileCount=_whole),
    ),
    "outputStatistics": (
        "OutputStatisticsOutputDatasetFacet",
        _object({"rowCount": _whole}, size=_whole, fileCount=_whole),
    ),
}
"""Key of a facet → its class, and what the class asks besides what every facet says of itself."""
_PLACED = {
    "run": {"processing_engine", "parent", "errorMessage", "tags"},
    "job": {"jobType", "documentation", "tags"},
    "facets": {"version", "schema", "storage", "symlinks", "columnLineage", "dataQualityMetrics"},
    "inputFacets": {"inputStatistics"},
    "outputFacets": {"outputStatistics"},
}
"""Where a facet may stand."""


def _facet(place: str, key: str, value: Value) -> bool:
    if key == "tags":
        name, rule = f"Tags{place.capitalize()}Facet", _object({"tags": _a_list(_TAG)})
    else:
        name, rule = FACETS[key]
    itself = _object({"_producer": _uri, "_schemaURL": _uri})(value)
    return (
        itself and rule(value) and value["_schemaURL"].endswith(f"/{name}.json#/$defs/{name}") and key in _PLACED[place]
    )


def _facets_of(event: Value) -> Iterator[tuple[str, str, Value]]:
    """Yield where each facet of an event stands, its key and itself."""
    for place in ("run", "job"):
        for key, value in event[place].get("facets", {}).items():
            yield place, key, value
    for side in ("inputs", "outputs"):
        for dataset in event.get(side, []):
            for place in ("facets", "inputFacets", "outputFacets"):
                for key, value in dataset.get(place, {}).items():
                    yield place, key, value


_EVENT = _object(
    {
        "eventTime": _moment,
        "producer": _uri,
        "schemaURL": _uri,
        "run": _RUN_OF,
        "job": _JOB_OF,
    },
    eventType=lambda value: value in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"),
    inputs=_a_list(_JOB_OF),  # a dataset is named as a job is
    outputs=_a_list(_JOB_OF),
)


def _faults(event: Value) -> list[str]:
    """Return what in an event is not as the specification asks."""
    if not _EVENT(event):
        return ["the event itself"]
    return [f"{place}.{key}" for place, key, value in _facets_of(event) if not _facet(place, key, value)]


@pytest.fixture(scope="module")
def events(finished_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> list[Value]:
    """The events of the runs that made the small lake, of one that failed and of one that was interrupted."""
    file = tmp_path_factory.mktemp("events") / "events"
    snapshot = open_snapshot(str(finished_lake.folder))

    def fail(error: BaseException) -> None:
        with events_to(str(file)):
            begin_run(snapshot.lake, "annotate", {}, {}, snapshot.version)
            raise error

    for error in (CorruptLakeError("expected a file, found none"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
    return [
        json.loads(line) for path in (finished_lake.events, file) for line in Path(path).read_text("utf-8").splitlines()
    ]


def test_every_event_is_as_the_specification_asks(events: list[Value]) -> None:
    """Of each kind there is one, with every facet that we know of; all are as they must be."""
    assert {event["eventType"] for event in events} == {"START", "RUNNING", "COMPLETE", "FAIL", "ABORT"}
    assert {key for event in events for _, key, _ in _facets_of(event)} == {*FACETS, "tags"}
    assert [(event["eventType"], fault) for event in events for fault in _faults(event)] == []


def _without(event: Value, path: tuple[str, ...]) -> Value:
    broken = copy.deepcopy(event)
    place = broken
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return broken


@pytest.mark.parametrize(
    "path",
    [
        ("eventTime",),
        ("producer",),
        ("schemaURL",),
        ("run", "runId"),
        ("job", "namespace"),
        ("job", "name"),
        ("run", "facets", "processing_engine", "_producer"),
        ("run", "facets", "processing_engine", "_schemaURL"),
        ("run", "facets", "processing_engine", "version"),
        ("run", "facets", "errorMessage", "message"),
        ("job", "facets", "jobType", "integration"),
    ],
)
def test_what_is_required_is_missed(path: tuple[str, ...], events: list[Value]) -> None:
    """The rules find each required field that is taken away."""
    (event,) = [each for each in events if each["eventType"] == "FAIL"]
    assert _faults(event) == []
    assert _faults(_without(event, path))


@pytest.mark.parametrize(
    ("name", "value"),
    [("eventTime", "2026-01-01T00:00:00"), ("eventType", "ENDED"), ("producer", "headwater"), ("run", {"runId": "7"})],
)
def test_what_has_another_form_is_found(name: str, value: Value, events: list[Value]) -> None:
    """A time without a zone, another kind of event, a producer that is no URI, a run whose id is no UUID."""
    assert _faults(events[0]) == []
    assert _faults(events[0] | {name: value})
