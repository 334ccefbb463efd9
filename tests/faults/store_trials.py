"""Trials with lake and inputs on an object store that fails: whatever it does to a step, running again gives the undisturbed shards.

The process that forks drivers never asks the store itself: its client does not outlive a fork. Lakes are carried to and fro by forks of their own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from lakes import COMMANDS, command, shard_hashes, stray_files
from stores.fixtures import Store
from stores.proxy import Fault, FaultyProxy, operation_is
from stores.server import StoreServer
from trial import FoundError, Trial
from zygote import Driver

__all__ = ["on_a_store", "stores_ended"]

_LASTS_S: Final = 2.0
_held = contextlib.ExitStack()
_stores: list[tuple[StoreServer, FaultyProxy]] = []


@contextlib.contextmanager
def stores_ended() -> Iterator[None]:
    """End the server and the proxy at the end, where a trial has started them."""
    try:
        yield
    finally:
        _held.close()
        _stores.clear()


def on_a_store(trial: Trial) -> None:
    """A step with all of its files on a store that answers some requests with errors, cuts bodies, loses answers, is away for a while or for good."""
    server, proxy = _started(trial.zygote.root / "store")
    store = Store(bucket=f"trial-{trial.random.randrange(1 << 40)}", server=server, proxy=proxy)
    step = trial.random.choice(COMMANDS)
    words, faults = _drawn(trial)
    trial.what = f"{step} on a store: {words}"
    trial.begin(step)
    _in_a_fork(lambda: _carry_there(trial, store))
    proxy.reset(trial.random.randrange(1 << 30))
    proxy.use(*faults)
    driver = _start(trial, store, command(step, store.uri("lake"), [store.uri("in")]))
    trial.end(driver, {0, 1, 2} if words.endswith("for good") else {0, 1})
    proxy.use()
    trial.fired = any(fault.struck for fault in faults)
    _conclude(trial, store)
    _in_a_fork(lambda: store.client().delete_dir(store.bucket))


def _started(folder: Path) -> tuple[StoreServer, FaultyProxy]:
    if not _stores:
        server = _held.enter_context(StoreServer(folder))
        _stores.append((server, _held.enter_context(FaultyProxy(server.port))))
    return _stores[0]


def _drawn(trial: Trial) -> tuple[str, list[Fault]]:
    """Return what the store is to do, in words and as rules."""
    draw = trial.random
    share, after = draw.choice([0.05, 0.2]), draw.randrange(120)
    commits = operation_is("PUT_IF")
    kinds: list[tuple[str, list[Fault]]] = [
        (
            f"{share:.0%} errors",
            [Fault(kind="error", status=status, share=share / 2) for status in (500, 503)],
        ),
        (f"{share:.0%} cut bodies", [Fault(kind="cut", of=operation_is("GET"), share=share)]),
        (f"{share:.0%} resets", [Fault(kind="refuse", share=share)]),
        (f"{share:.0%} lost answers", [Fault(kind="lost", share=share)]),
        ("answers to commits lost", [Fault(kind="lost", of=commits, share=0.5)]),
        ("answers to commits are 500", [Fault(kind="lost", of=commits, share=0.5, status=500)]),
        (
            f"away for {_LASTS_S:.0f} s from request {after} on",
            [Fault(kind="refuse", after=after, lasts_s=_LASTS_S)],
        ),
        (f"503 from request {after} on, for good", [Fault(kind="error", status=503, after=after)]),
        (f"403 from request {after} on, for good", [Fault(kind="error", status=403, after=after)]),
    ]
    return draw.choice(kinds)


def _start(trial: Trial, store: Store, arguments: Sequence[str]) -> Driver:
    said = trial.folder / f"said-{len(trial.drivers)}-{arguments[0]}.txt"
    driver = trial.zygote.start(arguments, said, environment=store.environment())
    trial.drivers.append(driver)
    return driver


def _conclude(trial: Trial, store: Store) -> None:
    """Run everything again on the store, and compare a copy of it."""
    trial.zygote.settle()
    lake = store.uri("lake")
    for arguments in (
        command("run", lake, [store.uri("in")]),
        ["maintain", lake, "--orphan-hours", "0"],
        ["verify", lake],
    ):
        trial.end(_start(trial, store, arguments), {0})
    shutil.rmtree(trial.lake)
    _in_a_fork(lambda: store.download("lake", trial.lake))
    if shard_hashes(trial.lake, trial.prepared.build) != trial.prepared.hashes:
        raise FoundError("other shards than undisturbed")
    if strays := stray_files(trial.lake):
        raise FoundError(f"stray files: {strays[:5]}")


def _carry_there(trial: Trial, store: Store) -> None:
    store.client().create_dir(store.bucket)
    store.upload(trial.lake, "lake")
    store.upload(trial.inputs, "in")


def _in_a_fork(work: Callable[[], object]) -> None:
    """Do something in a process of its own.

    Raises:
        RuntimeError: it did not succeed; its traceback is on standard error.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("the lake could not be carried to or from the store of the tests")
