"""Print the order in which megatron-core reads shards: for each case of a JSON file the numbers that its samples begin and end with.

A case: shards (a list of token arrays, one row a sequence, as .npy beside the case's prefixes), context, samples, seed, extra_token, split.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig


def _config(case: dict[str, Any], folder: Path) -> GPTDatasetConfig:
    prefixes = [str(folder / name) for name in case["prefixes"]]
    weights = None if len(prefixes) == 1 else [float(count) for count in case["counts"]]
    return GPTDatasetConfig(
        random_seed=case["seed"],
        sequence_length=case["context"],
        blend=(prefixes, weights),
        split=case["split"],
        tokenizer=SimpleNamespace(vocab_size=200_000, eod=199_999, pad=199_998, unique_identifiers={}),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        add_extra_token_to_sequence=case["extra_token"],
    )


def main(path: str) -> None:
    """Build each case's data set as a Megatron trainer does, and read it."""
    cases, folder = json.loads(Path(path).read_text("utf-8")), Path(path).parent
    found = []
    for case in cases:
        config = _config(case, folder)
        builder = BlendedMegatronDatasetBuilder(GPTDataset, [case["samples"], 0, 0], lambda: True, config)
        dataset = builder.build()[0]
        samples = [dataset[number] for number in range(case["samples"])]
        found.append(
            {
                "first": [int(sample["tokens"][0]) for sample in samples],
                "tokens_alike": all(bool((sample["tokens"] == sample["tokens"][0]).all()) for sample in samples),
                "last_label": [int(sample["labels"][-1]) for sample in samples],
                "last_counts": [float(sample["loss_mask"][-1]) for sample in samples],
            }
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
