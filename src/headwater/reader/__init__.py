"""Reading the shards of a stage while training: tokens, the documents in them, exact resume; nothing but NumPy and pyarrow.

    from headwater.reader import Reader, open_stage

    stage = open_stage("demo-lake/builds/NAME/reasoning")
    reader = Reader(stage, batch_size=8, seed=1)
    for batch in reader:
        train(batch.tokens, batch.labels())
        save(reader.state())

A stage's folder is enough, copied anywhere: no lake, no Spark. ``headwater.reader.torch`` holds a PyTorch dataset around it.
"""

from __future__ import annotations

from headwater.reader.batches import RUN, Batch
from headwater.reader.loader import Reader
from headwater.reader.stage import Stage, open_stage

__all__ = ["RUN", "Batch", "Reader", "Stage", "open_stage"]
