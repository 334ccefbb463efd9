"""Where a large web archive can be split among tasks: at members that begin with a record.

Records are numbered from 0 in file order, of every type and broken ones too, so a number leads to the same record whichever task reads it. That takes
reading all of the archive; an index beside it (CDX) names some of the records only, and may be of another file. Only an archive in which nothing is
broken is split: how far damage reaches can be told by reading on alone.
"""

from __future__ import annotations

from headwater.pipelines.ingest.chunks import Chunk
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import Broken, warc_records

__all__ = ["archive_chunks"]


def archive_chunks(uri: str, size: int, compression: str, limits: Limits) -> tuple[Chunk, ...]:
    """Return the chunks of a web archive, of about ``split_bytes`` stored bytes, each beginning at a member of its own; without digests.

    One chunk where something is broken, or no record but the first begins a member.

    Raises:
        OSError: the file cannot be opened or read.
    """
    whole = (Chunk(begin=0, end=size, first_record=0),)
    if compression not in {"", "gz", "zst"}:
        return whole
    starts = [(0, 0, 0)]
    with Stored(uri, hashing=False) as stored:
        for found in warc_records(Members(stored, uri, compression, limits), 0, limits):
            if isinstance(found, Broken):
                return whole
            if found.stored is not None and found.stored - starts[-1][0] >= limits.split_bytes:
                starts.append((found.stored, found.number, found.place))
    ends = [*(begin for begin, _, _ in starts[1:]), size]
    return tuple(
        Chunk(begin=begin, end=end, first_record=number, place=place)
        for (begin, number, place), end in zip(starts, ends, strict=True)
    )
