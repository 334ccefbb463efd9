"""Prints as JSON what mosaicml-streaming reads of an MDS folder.

Usage: python read_mds.py REMOTE LOCAL HASH

REMOTE is copied shard by shard to LOCAL with each one's hash checked, as from an object store.
"""

from __future__ import annotations

import json
import sys

import numpy
from stand_ins import put_stand_ins

put_stand_ins()

from streaming import StreamingDataset  # noqa: E402 - after the stand-ins

remote, local, hash_name = sys.argv[1:]
try:
    dataset = StreamingDataset(remote=remote, local=local, shuffle=False, batch_size=1, validate_hash=hash_name)
    samples = [dataset[place] for place in range(len(dataset))]
except Exception as error:  # the test looks at whatever the library raises
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    sys.exit(0)
columns = {
    name: [
        value.hex() if isinstance(value, bytes) else numpy.asarray(value).tolist()
        for value in (s[name] for s in samples)
    ]
    for name in samples[0]
}
print(json.dumps({"columns": columns, "dtype": str(samples[0]["tokens"].dtype), "numpy": numpy.__version__}))
