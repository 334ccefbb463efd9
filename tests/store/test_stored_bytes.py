"""What is written to a store is stored byte for byte, whatever its name says of its content."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.warehouse.filesystem import HashedFile, filesystem_of, read_bytes, write_file


@pytest.mark.parametrize(
    "name", ["items.jsonl.zst", "shard-00000.csv.gz", "a.bz2", "a.lz4", "a.snappy", "a.br", "plain.json"]
)
def test_a_name_changes_no_byte(name: str, store: Any) -> None:
    """pyarrow would compress, or unpack, by the end of a name."""
    data = bytes(range(256)) * 9
    write_file(store.uri("lake"), name, data, root=store.uri("lake"))
    assert store.read(f"lake/{name}") == data
    filesystem, path = filesystem_of(store.uri("lake", name))
    assert read_bytes(filesystem, path) == data
    file = HashedFile(store.uri("lake"), store.uri("lake"))
    file.sink.write(data)
    file.publish(f"again.{name}")
    assert store.read(f"lake/again.{name}") == data
