"""File operations of one process, counted; at one of them something happens: an error, a signal, a pause, a jump of the clock.

Between Headwater and the operating system lie ``pyarrow.fs``, ``Path.open``, ``os.fsync`` and delta-rs. The first three are counted here
one by one, of delta-rs each commit, checkpoint and opening of a table. What the Rust and C++ beneath ask of the kernel is out of Python's sight;
``refuse_writes`` makes the kernel itself refuse it.
"""

from __future__ import annotations

import ctypes
import datetime
import errno
import json
import os
import platform
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import deltalake
from pyarrow import fs as pafs

from headwater.errors import StorageError

__all__ = ["CAN_REFUSE", "Fault", "Shim", "follow_file", "lay_fault", "refuse_writes"]

_CALLS = {"x86_64": (257, 82, 264, 316, 74, 317), "aarch64": (56, -1, 38, 276, 82, 277)}
"""Numbers of openat, rename, renameat, renameat2, fsync and seccomp."""
_PLAIN = datetime.datetime
CAN_REFUSE: Final = sys.platform == "linux" and platform.machine() in _CALLS


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What happens at which operation.

    Attributes:
        action: ``error``, ``torn`` (half of a write, then an error), ``refuse`` (every write from here on, by the kernel), ``kill``,
            ``signal``, ``pause`` or ``clock``.
        number: of the operation, from 1.
        operation: count only operations of this name.
        code: name of the error or of the signal.
        seconds: by which the clock jumps.
        lasting: every later operation fails too.
        point: at this fault point (``headwater.warehouse.faults``), by its name, and at no operation; ``task/NAME`` of those in tasks.
    """

    action: str
    number: int
    operation: str | None = None
    code: str = ""
    seconds: float = 0.0
    lasting: bool = False
    point: str = ""


class Shim:
    """The operations of this process.

    Args:
        root: only paths below it are counted.
        fault: what is to happen, asked anew at each operation.
        pause: called where a fault says so.
    """

    def __init__(self, root: str, fault: Callable[[], Fault | None], pause: Callable[[], None] = lambda: None) -> None:
        self.counts: Counter[str] = Counter()
        self.points: list[str] = []
        self.fired = False
        self._root = root
        self._fault = fault
        self._pause = pause
        self._seen = 0
        self._last: Fault | None = None

    def reach(self, operation: str, path: str = "") -> Fault | None:
        """Count an operation and let happen what is due; a torn write is left to the caller."""
        if path and not path.startswith(self._root):
            return None
        self.counts[operation] += 1
        fault = self._fault()
        if fault is not self._last:
            self._last, self._seen = fault, 0
        if fault is None or fault.point or fault.operation not in (None, operation):
            return None
        self._seen += 1
        if not (self._seen == fault.number or (fault.lasting and self._seen > fault.number)):
            return None
        self.fired = True
        return self._let_happen(fault, operation, path)

    def reach_point(self, point: str) -> None:
        """Note a fault point and let happen what is due there, once: a kill, or an exception."""
        self.points.append(point)
        fault = self._fault()
        if fault is None or fault.point != point or self.fired:
            return
        self.fired = True
        if fault.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise StorageError(f"a fault at {point}")

    def _let_happen(self, fault: Fault, operation: str, path: str) -> Fault | None:
        match fault.action:
            case "error":
                raise _error(fault.code, path)
            case "torn":
                if operation != "write":
                    raise _error(fault.code, path)
                return fault
            case "refuse":
                refuse_writes(getattr(errno, fault.code))
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "signal":
                os.kill(os.getpid(), getattr(signal, fault.code))
                time.sleep(0.01)
            case "pause":
                self._pause()
            case "clock":
                _jump(fault.seconds)
        return None

    def told(self) -> dict[str, object]:
        """Return what was done, for the process that started this one."""
        return {"counts": dict(self.counts), "points": self.points, "fired": self.fired}

    def install(self) -> None:
        """Put this between Headwater and the operating system, for the rest of this process."""
        pafs.LocalFileSystem = _watched_filesystem(self)
        plain_open, plain_fsync = Path.open, os.fsync

        def watched_open(
            path: Path, mode: str = "r", *rest: Any, **more: Any
        ) -> Any:  # Any: whatever kind of file Path.open gives
            if "w" not in mode or not str(path).startswith(self._root):
                return plain_open(path, mode, *rest, **more)
            self.reach("open", str(path))
            return _WatchedStream(self, plain_open(path, mode, *rest, **more), str(path))

        def watched_fsync(fd: Any) -> None:  # Any: whatever has a file descriptor
            self.reach("sync")
            plain_fsync(fd)

        Path.open = watched_open  # type: ignore[assignment,method-assign]  # that is the point
        os.fsync = watched_fsync
        self._watch_delta()
        self._watch_points()

    def _watch_points(self) -> None:
        """Come by wherever a module of Headwater's comes by one of its fault points; of modules that are loaded."""
        from headwater.warehouse import faults

        plain = {"reach": (faults.reach, ""), "reach_in_task": (faults.reach_in_task, "task/")}
        for module in [each for name, each in sys.modules.items() if name.startswith("headwater.")]:
            for name, (function, prefix) in plain.items():
                if getattr(module, name, None) is function:
                    setattr(module, name, lambda point, prefix=prefix: self.reach_point(prefix + point))

    def _watch_delta(self) -> None:
        table = deltalake.DeltaTable
        for name, before, after in (
            ("create_write_transaction", "commit", "committed"),
            ("create_checkpoint", "checkpoint", "checkpointed"),
            ("__init__", "snapshot", ""),
        ):
            setattr(table, name, self._watched(getattr(table, name), before, after))

    def _watched(
        self, plain: Callable[..., Any], before: str, after: str
    ) -> Callable[..., Any]:  # Any: a method handed on as it is
        def watched(*given: Any, **named: Any) -> Any:  # Any: the method's own arguments
            self.reach(before)
            result = plain(*given, **named)
            if after:
                self.reach(after)
            return result

        return watched


def _error(code: str, path: str) -> OSError:
    number = getattr(errno, code)
    return OSError(number, os.strerror(number), path or None)


class _WatchedStream:
    def __init__(self, shim: Shim, stream: Any, path: str) -> None:  # Any: whatever kind of file Path.open gave
        self._shim, self._stream, self._path = shim, stream, path

    def write(self, data: Any) -> int:  # Any: anything with a buffer
        torn = self._shim.reach("write", self._path)
        if torn is not None:
            self._stream.write(memoryview(data).cast("B")[: len(data) // 2])
            self._stream.flush()
            raise _error(torn.code, self._path)
        return int(self._stream.write(data))

    def __getattr__(self, name: str) -> Any:  # Any: everything else is the file's own
        return getattr(self._stream, name)

    def __enter__(self) -> _WatchedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _watched_filesystem(shim: Shim) -> type:
    names = {
        "move": "move",
        "create_dir": "create",
        "delete_file": "delete",
        "open_input_stream": "read",
        "open_input_file": "read",
        "get_file_info": "list",
    }
    plain = pafs.LocalFileSystem

    def watched(name: str, operation: str) -> Callable[..., Any]:  # Any: a method handed on as it is
        method = getattr(plain, name)

        def call(self: Any, first: Any, *rest: Any, **named: Any) -> Any:  # Any: the method's own arguments
            shim.reach(operation, first if isinstance(first, str) else str(getattr(first, "base_dir", "")))
            return method(self, first, *rest, **named)

        return call

    return type("LocalFileSystem", (plain,), {name: watched(name, operation) for name, operation in names.items()})


def _jump(seconds: float) -> None:
    """Let the wall clock of this process be wrong by some seconds from now on."""
    plain_time = time.time

    class _Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _PLAIN)

    class _Jumped(_PLAIN, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # Any: the plain class, of which this one is a stand-in
            return _PLAIN.now(tz) + datetime.timedelta(seconds=seconds)

    time.time = lambda: plain_time() + seconds
    datetime.datetime = _Jumped  # type: ignore[misc]  # that is the point


def refuse_writes(error: int) -> None:
    """Let the kernel refuse this process, and all it starts, with ``error``: to create or open for writing, to rename, to sync; for good.

    A seccomp filter, which needs no privilege and reaches native code.
    """
    openat, rename, renameat, renameat2, fsync, seccomp = _CALLS[platform.machine()]
    refused = [number for number in (rename, renameat, renameat2, fsync) if number >= 0]

    def load(offset: int) -> bytes:
        return struct.pack("HBBI", 0x20, 0, 0, offset)

    def jump(kind: int, value: int, yes: int, no: int) -> bytes:
        return struct.pack("HBBI", kind, yes, no, value)

    def give(value: int) -> bytes:
        return struct.pack("HBBI", 0x06, 0, 0, value)

    # The number of the call lies at 0, its third argument at 32; 0x15 is "equal", 0x45 "has any of these bits".
    program = [load(0)]
    program += [jump(0x15, number, len(refused) + 2 - at, 0) for at, number in enumerate(refused)]
    program += [jump(0x15, openat, 0, 3), load(32), jump(0x45, os.O_WRONLY | os.O_RDWR | os.O_CREAT, 0, 1)]
    program += [give(0x00050000 | error), give(0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(program))

    class _Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filled = _Program(len(program), ctypes.addressof(code))
    library = ctypes.CDLL(None, use_errno=True)
    # 38 is PR_SET_NO_NEW_PRIVS; 1 and 1 are SECCOMP_SET_MODE_FILTER and, for all threads, SECCOMP_FILTER_FLAG_TSYNC.
    if library.prctl(38, 1, 0, 0, 0) or library.syscall(seccomp, 1, 1, ctypes.byref(filled)):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def follow_file(path: Path) -> Callable[[], Fault | None]:
    """Return what asks a file for the fault of this process: the first one to look has it, or every one where it is lasting."""
    known: list[tuple[int, Fault | None]] = []

    def fault() -> Fault | None:
        try:
            key = path.stat().st_mtime_ns
        except FileNotFoundError:
            known.clear()
            return None
        if not known or known[0][0] != key:
            known[:] = [(key, _claim(path))]
        return known[0][1]

    return fault


def _claim(path: Path) -> Fault | None:
    try:
        fault = Fault(**json.loads(path.read_text("utf-8")))
        if not fault.lasting:
            path.with_suffix(".claimed").touch(exist_ok=False)
    except (FileNotFoundError, FileExistsError):
        return None
    return fault


def lay_fault(path: Path, fault: Fault | None) -> None:
    """Lay a fault where ``follow_file`` looks, or take it away."""
    path.unlink(missing_ok=True)
    path.with_suffix(".claimed").unlink(missing_ok=True)
    if fault is not None:
        path.with_suffix(".new").write_text(json.dumps(asdict(fault)), "utf-8")
        path.with_suffix(".new").rename(path)
