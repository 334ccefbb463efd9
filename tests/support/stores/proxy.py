"""A proxy before a store that counts requests and does, by seeded rules, what networks and busy stores do.

It changes no byte of what it passes on: the client signs the proxy's own host, which the store reads from the request. Whether a
rule strikes a request depends on the seed, the request and how often that was asked, and not on the order in which threads come.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal

from stores.messages import Connection, Message, Request, has_body, parse_headers, parse_request

__all__ = ["Fault", "FaultyProxy", "Kind", "Seen", "key_ends", "operation_is"]

Kind = Literal["refuse", "error", "cut", "lost", "delay"]
_CODES: Final = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}
_TIMEOUT_S: Final = 60.0
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: what is closed is reset."""


def _any(request: Request) -> bool:
    return True


def operation_is(*operations: str) -> Callable[[Request], bool]:
    """Return a condition: the request is one of these operations of ``Request.operation``."""
    return lambda request: request.operation in operations


def key_ends(suffix: str, *operations: str) -> Callable[[Request], bool]:
    """Return a condition: the object's key ends with ``suffix``; with operations, it is one of those besides."""
    return lambda request: request.key.endswith(suffix) and (not operations or request.operation in operations)


@dataclass(kw_only=True, slots=True)
class Fault:
    """A rule: what is done to which requests.

    Args:
        kind: refuse (the connection is reset, the store sees nothing), error (answered with ``status``, the store sees nothing),
            cut (the answer's body breaks off half-way), lost (the store does it, and then the connection is reset, or ``status``
            is answered), delay (passed on after ``delay_s``).
        of: which requests.
        begins: the request that starts the rule; the first of ``of`` where none is given. From then on the rule strikes.
        after: so many of those are let through first.
        times: so many requests are struck, then no more; None: no end.
        lasts_s: the rule ends so many seconds after it started; None: no end.
        share: the share of requests that is struck.
        status, code: HTTP status and S3's name of the error.
        delay_s: seconds.
    """

    kind: Kind
    of: Callable[[Request], bool] = _any
    begins: Callable[[Request], bool] | None = None
    after: int = 0
    times: int | None = None
    lasts_s: float | None = None
    share: float = 1.0
    status: int | None = None
    code: str | None = None
    delay_s: float = 0.0
    struck: int = field(default=0, init=False)
    """Requests struck so far."""
    _seen: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)

    def strikes(self, request: Request, draw: float) -> bool:
        """Return whether it strikes a request; ``draw`` is in [0, 1) and belongs to the request. Not for two threads at once."""
        if self._began is None and (self.begins or self.of)(request):
            self._seen += 1
            if self._seen > self.after:
                self._began = time.monotonic()
        over = self._began is None or (self.lasts_s is not None and time.monotonic() > self._began + self.lasts_s)
        if over or (self.times is not None and self.struck >= self.times) or not self.of(request) or draw >= self.share:
            return False
        self.struck += 1
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request that passed, what was done to it, and the status that the store gave; None where it was not asked."""

    operation: str
    path: str
    fault: Kind | None
    status: int | None


class FaultyProxy:
    """A proxy on a port of its own before the store at ``port``; `with FaultyProxy(port) as proxy` runs it in threads.

    Args:
        port: of the store, on loopback.
        seed: of the rules' draws.
    """

    def __init__(self, port: int, seed: int = 0) -> None:
        self._store = ("127.0.0.1", port)
        self._seed = seed
        self._faults: tuple[Fault, ...] = ()
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        self._seen: list[Seen] = []
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[Seen]:
        """The requests so far, in the order in which they came."""
        with self._lock:
            return list(self._seen)

    def counts(self) -> Counter[str]:
        """Return how many requests there were of each operation since the last ``forget``."""
        return Counter(seen.operation for seen in self.seen)

    def forget(self) -> None:
        """Count anew."""
        with self._lock:
            self._seen.clear()

    def use(self, *faults: Fault) -> None:
        """Set the rules, the first that strikes is applied; none: everything passes."""
        with self._lock:
            self._faults = faults

    def reset(self, seed: int = 0) -> None:
        """Forget the rules and all that was asked, and draw from another seed."""
        with self._lock:
            self._seed, self._faults = seed, ()
            self._asked.clear()
            self._seen.clear()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """For as long as it lasts, nobody listens: connections are refused and those that are open are reset."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __enter__(self) -> FaultyProxy:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = int(listener.getsockname()[1])
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        with self._lock:
            still_open = list(self._open)
        for client in still_open:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(_TIMEOUT_S)
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Answer one client's requests until it goes or is cut off."""
        store: Connection | None = None
        try:
            connection = Connection(client)
            while head := connection.read_head():
                headers = parse_headers(head)
                if headers.get("expect", "").lower() == "100-continue":
                    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
                request = parse_request(head, connection.read_body(headers), headers)
                fault = self._choose(request)
                if fault is not None and fault.kind == "delay":
                    time.sleep(fault.delay_s)
                answer = None
                if fault is None or fault.kind in ("delay", "cut", "lost"):
                    answer, store = self._ask(store, head, request)
                self._note(request, fault, answer)
                if not _reply(connection, request, fault, answer):
                    return
        except OSError:
            return  # the client went, or the store did: the client sees its connection end
        finally:
            if store is not None:
                store.socket.close()
            with self._lock:
                self._open.discard(client)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # a process that was forked meanwhile holds it open too
            client.close()

    def _choose(self, request: Request) -> Fault | None:
        with self._lock:
            name = f"{request.operation} {request.path} {request.headers.get('range', '')}"
            self._asked[name] += 1
            for number, fault in enumerate(self._faults):
                draw = random.Random(f"{self._seed}/{number}/{name}/{self._asked[name]}").random()
                if fault.strikes(request, draw):
                    return fault
        return None

    def _note(self, request: Request, fault: Fault | None, answer: Message | None) -> None:
        seen = Seen(
            operation=request.operation,
            path=request.path,
            fault=fault.kind if fault else None,
            status=answer.status if answer else None,
        )
        with self._lock:
            self._seen.append(seen)

    def _ask(self, store: Connection | None, head: bytes, request: Request) -> tuple[Message, Connection]:
        """Return the store's answer, over a connection that is kept for the client's next request."""
        if store is not None and store.stale():
            store.socket.close()
            store = None
        if store is None:
            peer = socket.create_connection(self._store, timeout=_TIMEOUT_S)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            store = Connection(peer)
        store.send(head + request.body)
        answered = store.read_head()
        while answered.startswith(b"HTTP/1.1 100"):
            answered = store.read_head()
        if not answered:
            raise ConnectionError("the store closed the connection")
        answer = Message(head=answered, body=b"")
        if has_body(request.method, answer.status):
            answer = Message(head=answered, body=store.read_body(parse_headers(answered)))
        return answer, store


def _reply(client: Connection, request: Request, fault: Fault | None, answer: Message | None) -> bool:
    """Send what the client gets; return whether the connection goes on."""
    kind = fault.kind if fault else None
    status = fault.status if fault else None
    if kind == "error" or (kind == "lost" and status is not None):
        client.send(_error(request, status or 500, fault.code if fault else None))
        return True
    if kind in ("refuse", "lost") or answer is None:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return False
    if kind == "cut" and answer.body:
        client.send(answer.head + answer.body[: len(answer.body) // 2])
        return False
    client.send(answer.head + answer.body)
    return b"\r\nconnection: close" not in answer.head.lower()


def _error(request: Request, status: int, code: str | None) -> bytes:
    name = code or _CODES.get(status, "InternalError")
    body = b"" if request.method == "HEAD" else _XML.format(name=name).encode()
    return (
        f"HTTP/1.1 {status} {name}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


_XML: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{name}</Code><Message>by a rule of the test</Message></Error>'
)
