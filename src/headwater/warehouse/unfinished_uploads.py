"""Uploads in parts that a killed process began and never ended: their parts take room, and no listing of files shows them."""

from __future__ import annotations

import datetime

from headwater.warehouse.filesystem import filesystem_of
from headwater.warehouse.storage import kind_of_store

__all__ = ["give_up_uploads"]


def give_up_uploads(lake: str, hours: float, *, dry_run: bool) -> int | None:
    """Give up the uploads below a lake that began longer ago than some hours, and return how many those are.

    None where a store has them and they cannot be listed: at stores other than S3, and where a role gives the keys, with which Headwater cannot
    sign a request of its own. A rule of the bucket's life cycle does it there.

    Raises:
        StorageError: the store refused.
    """
    if kind_of_store(lake) is None:
        return 0
    from headwater.warehouse.storage_systems import requests_of

    requests = requests_of(lake)
    if requests is None:
        return None
    bucket, _, prefix = filesystem_of(lake)[1].partition("/")
    found = requests.uploads(bucket, f"{prefix}/" if prefix else "")
    if found is None:
        return None
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)
    old = [upload for upload in found if upload.begun < before or not hours]
    if not dry_run:
        for upload in old:
            requests.give_up(bucket, upload)
    return len(old)
