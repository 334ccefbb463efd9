"""What a store did and nobody was told: commits, reservations, files in parts. What happened is known as happened, and happened once."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
from family_rows import write
from stores.fixtures import Store
from stores.proxy import Fault, operation_is

from headwater.warehouse.commit import commit, create_lake, reserve_fragments
from headwater.warehouse.filesystem import HashingSink, file_sha256, filesystem_of, write_hashed
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.storage_spool import ONE_REQUEST_BYTES

_ANSWERS: Final[dict[str, Callable[..., Fault]]] = {
    "reset": lambda **more: Fault(kind="lost", **more),
    "500": lambda **more: Fault(kind="lost", status=500, **more),
    "503": lambda **more: Fault(kind="lost", status=503, **more),
}
"""What the client gets in place of the answer."""
_OFTEN: Final = 2
"""The AWS client tries once by itself where a connection that it has used before is reset."""


@pytest.mark.parametrize("answer", _ANSWERS)
def test_a_commit_that_happened_is_known_as_happened(store: Store, answer: str) -> None:
    """Every answer to a conditional put is lost once: each reservation has numbers of its own, each wave is one version, and no rival is seen."""
    lake = store.uri("lake")
    create_lake(lake)
    store.proxy.use(*(_ANSWERS[answer](of=_first_of(version), times=1) for version in range(1, 9)))
    taken = [reserve_fragments(lake, 3) for _ in range(3)]
    assert all(after - before >= 3 for before, after in zip(taken, taken[1:], strict=False))
    snapshot = open_snapshot(lake)
    before = snapshot.version
    for wave in (1, 2):
        entry = write(snapshot.uri, "content", [taken[wave]])
        snapshot = commit(snapshot, adds=[entry], wave=("lost", wave), lake=lake)
        assert snapshot.version == before + wave
        assert len(snapshot.paths("content")) == wave
    assert sum(seen.fault == "lost" for seen in store.proxy.seen) >= 5


def _first_of(version: int) -> Callable[[object], bool]:
    name = f"{version:020d}.json"
    return lambda request: (
        getattr(request, "operation", "") == "PUT_IF" and str(getattr(request, "key", "")).endswith(name)
    )


def test_writers_at_once_with_lost_answers(store: Store) -> None:
    """Four writers reserve numbers while half of all answers to commits are lost: no number is given out twice."""
    lake = store.uri("lake")
    create_lake(lake)
    faults = [
        Fault(kind="lost", of=operation_is("PUT_IF"), share=0.25),
        Fault(kind="lost", of=operation_is("PUT_IF"), share=0.25, status=500),
    ]
    store.proxy.use(*faults)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: reserve_fragments(lake, 2), range(16)))
    store.proxy.use()
    assert all(fault.struck for fault in faults)
    assert Counter(number for first in taken for number in (first, first + 1)).most_common(1)[0][1] == 1
    assert open_snapshot(lake).version >= 16


_PARTS: Final[dict[str, list[Fault]]] = {
    "uploads begun in vain": [Fault(kind="refuse", of=operation_is("UPLOAD"), times=_OFTEN)],
    "parts busy": [Fault(kind="error", of=operation_is("PART"), times=_OFTEN, status=503)],
    "parts stored": [Fault(kind="lost", of=operation_is("PART"), times=_OFTEN)],
    "ended, reset": [Fault(kind="lost", of=operation_is("COMPLETE"), times=_OFTEN)],
    "ended, 500": [Fault(kind="lost", of=operation_is("COMPLETE"), times=_OFTEN, status=500)],
    "ended, and gone when asked again": [
        Fault(kind="lost", of=operation_is("COMPLETE"), times=1, status=500),
        Fault(kind="error", of=operation_is("COMPLETE"), times=1, status=404, code="NoSuchUpload"),
    ],
}
"""What befalls the requests of a file in parts."""


@pytest.mark.parametrize("name", _PARTS)
def test_a_long_file_comes_whole(store: Store, name: str) -> None:
    """A file in parts, of which some request fails or was done and not answered: it is there, whole, under its name."""
    data = os.urandom(1 << 10) * ((ONE_REQUEST_BYTES >> 10) + 1)
    faults = [dataclasses.replace(fault) for fault in _PARTS[name]]

    def fill(sink: HashingSink) -> None:
        sink.write(data)

    store.proxy.use(*faults)
    name, sha256, size = write_hashed(store.uri("lake"), fill, str, root=store.uri("lake"))
    assert all(fault.struck for fault in faults)
    assert (store.names(), size) == ({f"lake/{name}": len(data)}, len(data))
    store.proxy.use()
    filesystem, folder = filesystem_of(store.uri("lake"))
    assert file_sha256(filesystem, f"{folder}/{name}") == sha256
