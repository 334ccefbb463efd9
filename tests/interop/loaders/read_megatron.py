"""Prints as JSON what megatron-core reads of indexed datasets.

Usage: python read_megatron.py PREFIX…
"""

from __future__ import annotations

import json
import sys

from megatron.core.datasets.indexed_dataset import IndexedDataset

sequences, documents = [], []
for prefix in sys.argv[1:]:
    dataset = IndexedDataset(prefix, mmap=True)
    sequences += [dataset[place].tolist() for place in range(len(dataset))]
    documents.append(dataset.document_indices.tolist())
print(json.dumps({"sequences": sequences, "documents": documents, "dtype": dataset.index.dtype.__name__}))
