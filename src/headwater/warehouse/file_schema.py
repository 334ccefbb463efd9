"""The columns of a file as they are written: its schema, what is a dictionary, of what there are statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from headwater.warehouse.row_groups import FORMAT_KEY, OWN_KEY
from headwater.warehouse.schema import FORMAT, arrow_schema

__all__ = ["STATISTICS", "dictionary_columns", "file_schema"]

STATISTICS: Final = [
    "sample_id",
    "uri_hash",
    "domain_hash",
    "hash_key",
    "band_key",
    "token_begin",
    "shard",
    "record_no",
]
_NO_DICTIONARY: Final = {
    "text",
    "text_hash",
    "html",
    "warc_record_id",
    "url_key",
    "content_hash",
    "normalized_hash",
    "signature",
    "bands",
    "text_mac",
    "normalized_mac",
    "band_macs",
    "signature_macs",
    "uri_hash",
    "hash_key",
    "band_key",
    "sample_id",
    "origin",
    "record_no",
    # Nearly every value once: the dictionary would be as long as the column, and one row would need all of it.
    "rank",
    "sequence",
    "token_begin",
    "token_end",
}


def file_schema(family: str, own: Sequence[str] = ()) -> pa.Schema:
    """Return the schema of a file of a family, with what its footer says of it.

    Args:
        own: a team's own scores, columns of family ``scores`` besides its own.
    """
    metadata = {FORMAT_KEY: str(FORMAT).encode(), b"headwater.family": family.encode()}
    if own:
        metadata[OWN_KEY] = ",".join(own).encode()
    plain = [pa.field(column.name, column.type) for column in arrow_schema(family, own)]
    return pa.schema(plain, metadata=metadata)


def dictionary_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that are written as dictionaries, as Parquet names them.

    Floats hardly repeat: without a dictionary the signals are a fifth smaller and written faster.
    """
    return [
        path
        for column in schema
        if column.name not in _NO_DICTIONARY and not pa.types.is_floating(column.type)
        for path in _leaves(column)
    ]


def _leaves(column: pa.Field) -> list[str]:
    """Return the names under which Parquet knows a column: of a list of structs, those of the structs' fields."""
    if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
        return [f"{column.name}.list.element.{part.name}" for part in column.type.value_type]
    return [column.name]
