"""Errors of object stores told apart, and requests that failed for a while tried again: the one place for both.

Libraries tell what a store answered in words. Here the words are sorted: denied, absent, unreachable, failed for a while; whatever is none of
these is the library's own complaint, for instance about bytes that it cannot decode, and no error of the store.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

from headwater.errors import (
    StorageError,
    StoreAbsentError,
    StoreDeniedError,
    StoreError,
    StoreTransientError,
    StoreUnreachableError,
    one_line,
)
from headwater.warehouse.storage import hide_secrets

__all__ = ["RETRIED", "retried", "storage_error", "store_error"]

_Result = TypeVar("_Result")
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 8.0
_REACH_S: Final = 10.0
"""For how long a store that cannot be reached at all is asked again: a wrong address is told soon, a restart is waited for."""
_IN_OUTAGE_S: Final = 2.0
"""The same while the store has answered nothing since a request was given up."""
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*[A-Za-z]")

_KINDS: Final[tuple[tuple[type[StorageError], re.Pattern[str]], ...]] = (
    (
        StoreDeniedError,
        re.compile(
            r"ACCESS_DENIED|AccessDenied|INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch|EXPIRED_?TOKEN|"
            r"TokenRefreshRequired|INVALID_(?:CLIENT_)?TOKEN|InvalidToken|InvalidClientTokenId|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION_TOKEN|"
            r"REQUEST_TIME_TOO_SKEWED|RequestTimeTooSkewed|REQUEST_EXPIRED|HTTP status 40[13]\b|\b40[13] (?:Forbidden|Unauthorized)|"
            r"lacked the necessary privileges|lacked valid authentication|PERMISSION_DENIED|UNAUTHENTICATED|Permission denied|"
            r"AuthenticationFailed|AuthorizationFailure|AuthorizationPermissionMismatch|[Nn]o (?:valid )?credentials|"
            r"CredentialsNotLoaded|[Cc]ould not (?:find|load|get) credentials|error occurred while loading credentials",
            re.IGNORECASE,
        ),
    ),
    (
        StoreAbsentError,
        re.compile(
            r"NO_SUCH_BUCKET|NoSuchBucket|NO_SUCH_KEY|NoSuchKey|RESOURCE_NOT_FOUND|ContainerNotFound|BlobNotFound|HTTP status 404\b|\b404 Not Found|"
            r"[Bb]ucket (?:.{0,100} )?(?:does not exist|not found)"
        ),
    ),
    (
        StoreUnreachableError,
        re.compile(
            r"curlCode: (?:5|6|7|35|51|53|58|60|77),|Connection refused|tcp connect error|dns error|failed to lookup address|resolve host|"
            r"certificate|URL scheme is not allowed|InvalidContentType|No route to host|Network is unreachable|client error \(Connect\)",
            re.IGNORECASE,
        ),
    ),
    (
        StoreTransientError,
        re.compile(
            r"SLOW_DOWN|SlowDown|SERVICE_UNAVAILABLE|ServiceUnavailable|INTERNAL_FAILURE|InternalError|ServerBusy|THROTTL|REQUEST_TIMEOUT|RequestTimeout|"
            r"TooManyRequests|NETWORK_CONNECTION|curlCode: |HTTP status (?:5[0-9][0-9]|429|408)\b|\b(?:5[0-9][0-9]|429|408) [A-Z][a-z]+|timed out|"
            r"operation timeout|[Cc]onnection (?:was )?(?:closed|reset|aborted)|(?:decoding|reading) (?:the )?(?:request or )?response body|"
            r"request or response body error|IncompleteMessage|incomplete message|unexpected EOF|end of file before message length|"
            r"Broken pipe|error sending request|UNAVAILABLE|DEADLINE_EXCEEDED|Connection reset by peer|"
            r"NO_SUCH_UPLOAD|NoSuchUpload"  # ended already by a request whose answer was lost: written anew under the same name
        ),
    ),
)
_ADVICE: Final[dict[type[StorageError], str]] = {
    StoreDeniedError: "denied: check the keys, whether they have expired, and what they may do here; nothing stored is damaged",
    StoreAbsentError: "absent: check the name of the bucket, and the endpoint; nothing stored is damaged",
    StoreUnreachableError: "unreachable: check the endpoint (aws_endpoint_url), http or https, and the network; nothing stored is damaged",
    StoreTransientError: "the store failed at every try: run the same command again later; nothing stored is damaged",
}

RETRIED: Final[Counter[str]] = Counter()
"""Requests of this process that were tried again, by what was asked."""
_lock = threading.Lock()


def _kind_of(text: str) -> type[StorageError] | None:
    """Return which error of a store a text tells of, or None.

    >>> _kind_of("AWS Error SLOW_DOWN during GetObject operation").__name__
    'StoreTransientError'
    >>> _kind_of("Couldn't deserialize thrift: No more data to read.") is None
    True
    """
    return next((kind for kind, words in _KINDS if words.search(text)), None)


def store_error(error: BaseException, doing: str) -> StorageError | None:
    """Return the error of a store that a library's error tells of, or None where it tells of something else.

    Args:
        doing: what was tried, for instance ``read s3://bucket/key``.
    """
    if isinstance(error, StorageError):
        return error
    text = str(error)
    kind = _kind_of(text)
    if kind is None:
        return None
    code = re.search(r"<Code>(\w{1,60})</Code>", text)
    plain = re.split(r"<\?xml|<Error>", text, maxsplit=1)[0] + (code[1] if code else "")
    said = one_line(hide_secrets(_COLOURS.sub("", plain)), 300)
    return kind(f"cannot {doing}: {_ADVICE[kind]}; the store said: {said}")


def storage_error(error: OSError, doing: str) -> StorageError:
    """Return the error of a store, or of a file system, that an OSError of a request is: its kind is told where it is known."""
    return store_error(error, doing) or StoreError(
        f"cannot {doing}: {one_line(hide_secrets(str(error)), 300)}; nothing is known to be damaged: run the same command again"
    )


def retried(request: Callable[[], _Result], doing: str, most_s: float) -> _Result:
    """Return what a request gives, tried again with growing pauses while the store fails for a while.

    Args:
        request: may be done twice without harm.
        doing: as for ``store_error``.
        most_s: for how long it is tried again, seconds.

    Raises:
        FileNotFoundError: there is no such file.
        StorageError: the store refused, cannot be reached, or failed at every try.
    """
    begin = time.monotonic()
    wait = _FIRST_WAIT_S
    while True:
        try:
            result = request()
        except FileNotFoundError:
            raise
        except (OSError, StoreTransientError) as error:
            found = error if isinstance(error, StorageError) else storage_error(error, doing)
            if not isinstance(found, StoreTransientError | StoreUnreachableError):
                raise found from error
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - so that tasks do not come back together
            if time.monotonic() - begin + pause > _limit_s(found, most_s):
                _outage.begun = _outage.begun or time.monotonic()
                raise found from error
        else:
            _outage.begun = None
            return result
        with _lock:
            RETRIED[doing.partition("://")[0].rpartition(" ")[0]] += 1
        time.sleep(pause)
        wait = min(2 * wait, _LONGEST_WAIT_S)


class _Outage:
    """When this process first gave a request up since one succeeded: what comes after it is given up soon, or a thousand files would take a day."""

    begun: float | None = None


_outage: Final = _Outage()


def _limit_s(error: StorageError, most_s: float) -> float:
    """Return for how long a request is tried again, seconds."""
    if _outage.begun is not None:
        return min(most_s, _IN_OUTAGE_S)
    return min(most_s, _REACH_S) if isinstance(error, StoreUnreachableError) else most_s
