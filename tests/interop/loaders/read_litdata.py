"""Prints as JSON what litdata reads of its folder, whole and from a position on.

Usage: python read_litdata.py FOLDER CONTEXT
"""

from __future__ import annotations

import json
import sys

from litdata import StreamingDataLoader, StreamingDataset
from litdata.streaming.item_loader import TokensLoader

folder, context = sys.argv[1], int(sys.argv[2])


def dataset() -> StreamingDataset:
    """Return the folder as a training run opens it."""
    return StreamingDataset(folder, item_loader=TokensLoader(block_size=context), shuffle=False, drop_last=False)


by_place = dataset()
batches = [batch.tolist() for batch in StreamingDataLoader(dataset(), batch_size=4, num_workers=0)]
print(
    json.dumps(
        {
            "sequences": [by_place[place].tolist() for place in range(len(by_place))],
            "streamed": [sequence for batch in batches for sequence in batch],
            "dtype": str(by_place[0].dtype),
        }
    )
)
