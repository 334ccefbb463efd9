"""The emitter: makes events of what it hears of runs, and closes every run that it opened."""

from __future__ import annotations

import datetime
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headwater.errors import HeadwaterError, LakeFormatError, UsageError, one_line
from headwater.filters.urls.hosts import without_credentials
from headwater.fingerprint import fingerprint
from headwater.lineage.openlineage.columns import STEPS
from headwater.lineage.openlineage.datasets import (
    Written,
    family_input,
    family_output,
    input_folders,
    shard_outputs,
)
from headwater.lineage.openlineage.facets import PRODUCER, SCHEMA_URL, facet
from headwater.lineage.openlineage.places import events_place
from headwater.lineage.openlineage.sender import Sender
from headwater.lineage.run_events import Cause
from headwater.plain import JsonObject, ValuesByName
from headwater.version import __version__
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from headwater.lineage.runs import Run, Unit

__all__ = ["Emitter", "open_emitter", "run_uuid"]

_NAMESPACE: Final = "headwater"
_PARENT: Final = "OPENLINEAGE_PARENT_ID"
_IN_URLS: Final = (re.compile(r"(?<=://)[^\s/@]*@"), re.compile(r"(?<=://)(\S*?)\?[^\s,;'\"]*"))
"""Credentials and settings of URLs, wherever they stand in a message."""
_MOST_FILES: Final = 1_000_000
"""Input files that are remembered by name until a run ends."""


def run_uuid(run_id: str) -> str:
    """Return OpenLineage's id of a run: the same run has the same one wherever it is told of.

    >>> run_uuid("20260101T000000-build-abc")
    'f51f8f4c-9db6-5977-b3bf-bb41d89ecf33'
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:headwater:run:{run_id}"))


@dataclass(kw_only=True, slots=True)
class _Open:
    """A run between its first and its last event.

    Attributes:
        identity: what ``run`` of its events says.
        job: what ``job`` of them says.
        run: None of a whole job.
        written: family → what was written to it so far.
        read: (URI, records, bytes) of the input files that an ingest took.
        after: the table after its last commit.
    """

    identity: JsonObject
    job: JsonObject
    run: Run | None = None
    inputs: list[JsonObject] = field(default_factory=list)
    written: dict[str, Written] = field(default_factory=dict)
    read: list[tuple[str, int, int]] = field(default_factory=list)
    after: Snapshot | None = None


def open_emitter(given: str | None, recipes: str | None, cause: Cause | None = None) -> Emitter | None:
    """Return an emitter to the place that was asked for, or None where events are switched off.

    Raises:
        UsageError: the place is none, or the environment names a parent that is none.
    """
    place = events_place(given, recipes)
    return None if place is None else Emitter(Sender(place), cause)


class Emitter:
    """Hears of runs and sends events of them; see ``headwater.lineage.run_events.Listener``."""

    def __init__(self, sender: Sender, cause: Cause | None = None) -> None:
        self._sender = sender
        self._cause = cause
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or _NAMESPACE
        self._above = _parent_of(os.environ.get(_PARENT))
        self._whole: _Open | None = None
        self._open: dict[str, _Open] = {}

    def began_whole(self, lake: str, recipe: Mapping[str, object]) -> None:
        """Send the START of a job whose steps' runs follow."""
        with self._telling():
            tags = {"recipe": str(recipe.get("name", "")), "recipe_fingerprint": fingerprint(recipe)}
            self._whole = _Open(
                identity=_identity(str(uuid.uuid4()), self._above, tags), job=self._job(lake, "run", "JOB")
            )
            self._send("START", self._whole)

    def began(self, run: Run) -> None:
        """Send the START of a run, with the families that it reads in the version that it reads."""
        with self._telling():
            recipe = json.loads(run.recipe)
            tags = {"run_id": run.run_id, "input_version": str(run.input_version)}
            if "name" in recipe:
                tags |= {"recipe": str(recipe["name"]), "recipe_fingerprint": fingerprint(recipe)}
            told = _Open(
                identity=_identity(run_uuid(run.run_id), self._parent(), tags),
                job=self._job(run.lake, run.step, "STEP"),
                run=run,
            )
            self._open[run.run_id] = told
            reads = STEPS[run.step].reads if run.step in STEPS else ()
            if reads:
                snapshot = _version(run.lake, run.input_version)
                found = (family_input(snapshot, family) for family in reads) if snapshot is not None else ()
                told.inputs = [each for each in found if each is not None]
            self._send("START", told)

    def committed(self, run: Run, units: Sequence[Unit], snapshot: Snapshot) -> None:
        """Send that a run goes on, with what it has written so far."""
        told = self._open.get(run.run_id)
        if told is None:
            return
        with self._telling():
            told.after = snapshot
            for entry in (entry for unit in units for entry in unit.adds):
                told.written.setdefault(entry.family, Written()).add(entry.rows, entry.size)
                if entry.family == "files" and len(told.read) < _MOST_FILES:
                    told.read += _files(snapshot, entry.path, run.run_id)
            if units:
                self._send("RUNNING", told)

    def ended(self, run: Run, snapshot: Snapshot) -> None:
        """Send that a run ended well."""
        told = self._open.pop(run.run_id, None)
        if told is not None:
            with self._telling():
                told.after = snapshot if told.after is not None else None
                self._send("COMPLETE", told)

    def closed(self, error: BaseException | None) -> None:
        """Send the end of all that is open: COMPLETE, FAIL with why, or ABORT where a signal ended it."""
        whole = [] if self._whole is None else [self._whole]
        still = [*self._open.values(), *whole]
        self._open, self._whole = {}, None
        for told in still:
            with self._telling():
                if error is None:
                    self._send("COMPLETE", told)
                else:
                    why = facet("errorMessage", message=self._message(error), programmingLanguage="python")
                    told.identity["facets"]["errorMessage"] = why
                    self._send("ABORT" if _is_signal(error) else "FAIL", told)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Keep whatever goes wrong with an event from the job, and say so once."""
        try:
            yield
        except Exception as error:
            self._sender.say(error)

    def _parent(self) -> JsonObject | None:
        if self._whole is None:
            return self._above
        job = {name: self._whole.job[name] for name in ("namespace", "name")}
        parent: JsonObject = {"run": {"runId": self._whole.identity["runId"]}, "job": job}
        return parent | ({} if self._above is None else {"root": self._above["root"]})

    def _job(self, lake: str, step: str, kind: str) -> JsonObject:
        facets = {
            "jobType": facet("jobType", processingType="BATCH", integration="HEADWATER", jobType=kind),
            "tags": facet("tags of a job", tags=[{"key": "code_version", "value": __version__, "source": "HEADWATER"}]),
        }
        if step in STEPS:
            facets["documentation"] = facet("documentation", description=STEPS[step].says)
        return {"namespace": self._namespace, "name": f"{without_credentials(lake)}.{step}", "facets": facets}

    def _message(self, error: BaseException) -> str:
        """Return why a run failed: of errors of Headwater's own, which never hold a text; of any other only its kind."""
        own = error if isinstance(error, HeadwaterError) else self._cause(error) if self._cause is not None else None
        if own is None:
            return type(error).__name__
        return f"{type(own).__name__}: {_without_secrets(one_line(str(own)))}"

    def _send(self, kind: str, told: _Open) -> None:
        after = told.after
        outputs: list[JsonObject] = []
        inputs = list(told.inputs)
        if told.run is not None and after is not None:
            operators, recipe = json.loads(told.run.operators), json.loads(told.run.recipe)
            outputs = [
                family_output(after, family, written, operators, recipe, told.run)
                for family, written in sorted(told.written.items())
            ]
            outputs += shard_outputs(told.run, _build_record(operators))
            inputs += input_folders(told.read)
        if kind == "RUNNING":  # only how far it is: what stays the same stands in the first and the last event
            inputs, outputs = [], [each | {"facets": {"version": each["facets"]["version"]}} for each in outputs]
        self._sender.send(
            {
                "eventType": kind,
                "eventTime": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
                "run": told.identity,
                "job": told.job,
                "inputs": inputs,
                "outputs": outputs,
                "producer": PRODUCER,
                "schemaURL": SCHEMA_URL,
            }
        )


def _without_secrets(message: str) -> str:
    """Return a message whose URLs have neither credentials nor settings.

    >>> _without_secrets("no bucket 's3://key:secret@box/lake?token=x', found none")
    "no bucket 's3://box/lake', found none"
    """
    return _IN_URLS[1].sub(r"\1", _IN_URLS[0].sub("", message))


def _identity(run_id: str, parent: JsonObject | None, tags: Mapping[str, str]) -> JsonObject:
    facets = {
        "processing_engine": facet("processing_engine", name="headwater", version=__version__),
        "tags": facet(
            "tags", tags=[{"key": key, "value": value, "source": "HEADWATER"} for key, value in tags.items()]
        ),
    }
    if parent is not None:
        facets["parent"] = facet("parent", **parent)
    return {"runId": run_id, "facets": facets}


def _parent_of(value: str | None) -> JsonObject | None:
    """Return what OPENLINEAGE_PARENT_ID says, ``namespace/job/run`` with a UUID for the run: who started this process."""
    if not value:
        return None
    namespace, _, rest = value.partition("/")
    name, _, run_id = rest.rpartition("/")
    try:
        known = str(uuid.UUID(run_id))
    except ValueError:
        known = ""
    if not (namespace and name and known):
        raise UsageError(f"{_PARENT}: expected NAMESPACE/JOB/RUN with a UUID for the run, found {value!r}")
    above = {"run": {"runId": known}, "job": {"namespace": namespace, "name": name}}
    return {**above, "root": above}


def _is_signal(error: BaseException) -> bool:
    """Return whether a signal or the keyboard ended the process: what ended it in order is an exit with a shell's code for the signal."""
    if isinstance(error, SystemExit):
        return isinstance(error.code, int) and error.code > 128
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


def _version(lake: str, version: int) -> Snapshot | None:
    try:
        return open_snapshot(lake, version)
    except LakeFormatError:  # before an upgrade
        return None


def _build_record(operators: ValuesByName) -> ValuesByName:
    """Return the record of a run that wrote shards; empty for any other."""
    return next((each for each in operators.values() if isinstance(each, Mapping) and "manifests" in each), {})


def _files(snapshot: Snapshot, path: str, run_id: str) -> list[tuple[str, int, int]]:
    """Return (URI, records, bytes) of the input files in a file of family ``files`` that a run has taken."""
    columns = ["file_uri", "records", "file_bytes", "run_id"]
    rows = [row for table in read_file(snapshot.uri, path, columns) for row in table.to_pylist()]
    return [(row["file_uri"], row["records"], row["file_bytes"]) for row in rows if row["run_id"] == run_id]
