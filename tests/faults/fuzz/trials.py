"""Runs a parser on hostile files in a process of its own, within limits of processor time and memory."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, TypeAlias

from headwater.errors import HeadwaterError

_Files: TypeAlias = tuple[list[bytes], list[bytes]]
"""What was made by hand, and what is sound."""

__all__ = ["Finding", "Target", "Tried", "try_target"]

CPU_S: Final = 1.0
"""Processor time that a file may cost."""
MEMORY: Final = 1 << 30
"""Address space that it may cost."""
_LONGEST_MESSAGE: Final = 1200
_STUCK_S: Final = 60
_CASES_A_PROCESS: Final = 400
_MORE: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A parser.

    Attributes:
        name: for people, and part of the seed.
        seeds: gives sound files, in the folder that it is given nothing else may be; called once.
        mutate: gives a hostile file from a sound one.
        parse: reads a file, by its path; the folder holds what else it needs.
        hostile: files made by hand, tried first.
        allowed: what it may raise.
        names_file: whether a message must name the file.
    """

    name: str
    seeds: Callable[[Path], Sequence[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    parse: Callable[[Path], object]
    hostile: Callable[[], Sequence[bytes]] = tuple
    allowed: tuple[type[Exception], ...] = (HeadwaterError,)
    names_file: bool = True
    file_name: str = "hostile"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A file that a parser did not take as it should."""

    target: str
    case: int
    fault: str
    data: bytes = field(repr=False)


@dataclass(kw_only=True, slots=True)
class Tried:
    """What came of some cases: how many were refused, read as something else that is sound, or found fault with."""

    refused: int = 0
    read: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """All of them."""
        return self.refused + self.read + len(self.findings)


def try_target(target: Target, seed: int, folder: Path, seconds: float, more: int = _MORE) -> Tried:
    """Try a parser on all files made by hand, all sound ones and some that are changed, then for as long as there is time.

    The same seed gives the same files.

    Args:
        folder: for the files; made where it is missing.
        seconds: how long to go on.
        more: how many changed files there are at least, however long they take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = _made_apart(target, folder)
    tried, ends, first = Tried(), time.monotonic() + seconds, 0
    least = len(files[0]) + len(files[1]) + more
    while first < least or time.monotonic() < ends:
        first = _in_child(target, files, seed, folder, first, least, ends, tried)
    return tried


def _made_apart(target: Target, folder: Path) -> _Files:
    """Return what a target makes, made in a process of its own: libraries with threads do not live through a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(([*target.hostile()], [*target.seeds(folder)]), pipe)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        files: _Files = pickle.load(pipe)  # noqa: S301 - of our own child
    os.waitpid(child, 0)
    return files


def _case(target: Target, files: _Files, seed: int, number: int) -> bytes:
    """Return the file of a case: first those made by hand, then the sound ones, then changed ones."""
    by_hand, seeds = files
    if number < len(by_hand):
        return by_hand[number]
    if number < len(by_hand) + len(seeds):
        return seeds[number - len(by_hand)]
    draw = random.Random(f"{target.name} {seed} {number}")
    return target.mutate(draw.choice(seeds), draw)


def _in_child(
    target: Target, files: _Files, seed: int, folder: Path, first: int, least: int, ends: float, tried: Tried
) -> int:
    """Run cases in a forked process; return the number of the first case that was not tried."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                _run(target, files, seed, folder, first, least, ends, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    number = first
    with os.fdopen(reading, "rb") as pipe:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        while True:
            signal.alarm(_STUCK_S)
            try:
                number, fault = pickle.load(pipe)  # noqa: S301 - of our own child
            except EOFError:
                break
            finally:
                signal.alarm(0)
            if fault in ("refused", "read"):
                setattr(tried, fault, getattr(tried, fault) + 1)
            else:
                tried.findings.append(
                    Finding(target=target.name, case=number, fault=fault, data=_case(target, files, seed, number))
                )
            number += 1
    _, status = os.waitpid(child, 0)
    if status:
        fault = f"the process ended with {os.waitstatus_to_exitcode(status)}"
        tried.findings.append(
            Finding(target=target.name, case=number, fault=fault, data=_case(target, files, seed, number))
        )
        number += 1
    return number


def _run(
    target: Target, files: _Files, seed: int, folder: Path, first: int, least: int, ends: float, pipe: IO[bytes]
) -> None:
    path = folder / target.file_name
    for data in files[1]:  # what is loaded and compiled once does not count
        path.write_bytes(data)
        with contextlib.suppress(*target.allowed):
            target.parse(path)
    for number in range(first, first + _CASES_A_PROCESS):
        if number >= least and time.monotonic() > ends:
            return
        path.write_bytes(_case(target, files, seed, number))
        pickle.dump((number, _try(target, path)), pipe)
        pipe.flush()


def _try(target: Target, path: Path) -> str:
    """Return refused, read, or what is wrong."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    statm = Path("/proc/self/statm")
    if statm.exists():
        there = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (there + MEMORY, most))
    begin = _cpu()
    try:
        target.parse(path)
        found = "read"
    except target.allowed as error:
        found = _message_fault(target, path, str(error)) or "refused"
    except MemoryError:
        found = "more memory than allowed"
    except BaseException as error:
        found = f"{type(error).__name__}: {str(error)[:300]}"
    spent = _cpu() - begin
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return f"{spent:.1f} s of processor time" if spent > CPU_S else found


def _message_fault(target: Target, path: Path, message: str) -> str | None:
    if "\n" in message or len(message) > _LONGEST_MESSAGE:
        return f"a message that is no short line: {message[:200]!r}"
    if target.names_file and path.name not in message:
        return f"a message that does not name the file: {message[:200]!r}"
    return None


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
