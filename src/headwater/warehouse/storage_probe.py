"""Whether a store honours conditional put, without which two writers would both win: asked once a process and folder, before the first commit.

Two commits at once are kept apart by ``If-None-Match: *``: the second is refused. A store that passes over the header would let one commit
write over another, and the same fragment numbers would be given out twice.
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit

from headwater.errors import StorageError
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.storage import S3, kind_of_store, settings_of

__all__ = ["PROBE", "check_conditional_put"]

PROBE = ".headwater-probe-"
"""How the name of the object begins that is written and deleted."""

_sound: set[tuple[int, str, str]] = set()


def check_conditional_put(lake: str) -> None:
    """Do nothing where the store of a lake honours conditional put, as a folder, Google's and Azure's stores do.

    Two objects are put under one name, on condition that there is none, and deleted. Nothing is asked of AWS itself where a role gives the
    keys, nor where the setting ``aws_conditional_put`` says ``etag``.

    Raises:
        StorageError: the store took both, refused, or cannot be asked.
    """
    if kind_of_store(lake) != S3:
        return
    settings = settings_of(S3)
    endpoint = settings.get("aws_endpoint_url", "")
    place = (os.getpid(), endpoint, urlsplit(lake).netloc)
    if place in _sound or settings.get("aws_conditional_put", "").lower().startswith("etag"):
        return
    from headwater.warehouse.storage_systems import requests_of

    requests = requests_of(lake)
    if requests is None:
        if endpoint:
            raise StorageError(
                f"cannot ask the store at {endpoint} whether it honours conditional put (If-None-Match): no key is set to sign the question with; "
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or, where it is known to, --storage aws_conditional_put=etag"
            )
        return
    path = join(filesystem_of(lake)[1], PROBE + secrets.token_hex(8))
    requests.put_new(path, b"")
    try:
        taken_twice = requests.put_new(path, b"")
    finally:
        requests.delete(path)
    if taken_twice:
        raise StorageError(
            f"expected a store that honours conditional put (If-None-Match: *), found one that wrote over an object, at {lake}; two writers would "
            "destroy each other's commits there: use a store, or a version of it, that honours it"
        )
    _sound.add(place)
