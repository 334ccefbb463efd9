"""The root of a tree of hashes over files: one number that changes with any byte, name or size of any of them.

The tree is that of RFC 6962, section 2.1, with SHA-256: a leaf is hashed after a byte 0 and a node after a byte 1, so neither can be passed off
as the other, and n leaves are split at the largest power of two below n. Its inclusion proofs are those of any implementation of the RFC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

__all__ = ["file_leaf", "merkle_root"]


def file_leaf(name: str, n_bytes: int, sha256: str) -> bytes:
    r"""Return what stands for a file in the tree: its name, its size in decimal digits and its SHA-256, with zero bytes between them.

    >>> file_leaf("a", 3, "ab")
    b'a\x003\x00ab'
    """
    return b"\0".join([name.encode(), str(n_bytes).encode(), sha256.encode()])


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Return the root of a tree of leaves in the order given, 64 hexadecimal digits; of no leaves it is the SHA-256 of nothing.

    >>> merkle_root([])[:16], merkle_root([b"a"])[:16]
    ('e3b0c44298fc1c14', '022a6979e6dab7aa')
    """
    return _node([hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]).hex()


def _node(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _node(hashes[:split]) + _node(hashes[split:])).digest()
