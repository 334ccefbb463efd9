"""The columns of the families that are indexes: hashes by which samples are found."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["BAND_INDEX", "HASH_INDEX", "HOST_INDEX", "URI_INDEX"]

_I64 = pa.int64()

URI_INDEX: Final = {"uri_hash": (_I64, "BLAKE2b of the URL with a digest of 8 bytes, as a signed big-endian integer")}
HOST_INDEX: Final = {
    "domain_hash": (
        _I64,
        "BLAKE2b of captures.registered_domain with a digest of 8 bytes, as a signed big-endian integer",
    ),
    "host_hash": (_I64, "the same of captures.host"),
}
HASH_INDEX: Final = {"hash_key": (_I64, "first 8 bytes of content.content_hash, as a signed big-endian integer")}
BAND_INDEX: Final = {"band_key": (pa.int32(), "upper 32 bits of one of minhash.bands")}
