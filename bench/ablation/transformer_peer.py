"""The transformer's side: runs in an environment of its own and knows nothing of Headwater.

``python transformer_peer.py SETTINGS`` answers each line ``FILE SEED`` on standard input with one line of JSON. FILE is an ``.npz``: ``train`` is
uint16, documents each followed by the end id, and every other array a reference text of the same form. A decoder of `layers` pre-norm
blocks is trained on ``train`` once, from a state that the seed alone decides; the answer holds nats for each reference text, the loss of the
last steps, the number of parameters and seconds.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

Settings = dict[str, Any]  # Any: numbers of both kinds
Ids = npt.NDArray[np.uint16]


class Block(nn.Module):  # type: ignore[misc] # torch is not where types are checked
    """Attention and a layer of 4 times the width, each after a norm and beside a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_layer = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.layer = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return float [batch, length, width] for the same."""
        batch, length, width = x.shape
        parts = self.queries_keys_values(self.before_attention(x)).view(batch, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.layer(self.before_layer(x))


class Decoder(nn.Module):  # type: ignore[misc] # as above
    """Learned positions; the embedding is the output layer too."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width = settings["width"]
        self.embedding = nn.Embedding(settings["n_ids"] + 1, width)
        self.positions = nn.Embedding(settings["context"], width)
        self.blocks = nn.Sequential(*(Block(width, settings["heads"]) for _ in range(settings["layers"])))
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits [batch, length, ids] for int64 [batch, length]."""
        x = self.embedding(ids) + self.positions.weight[: ids.shape[1]]
        return self.norm(self.blocks(x)) @ self.embedding.weight.T


def windows(ids: Ids, context: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets, int64 [n, context]: every id is a target once, -100 fills the last window."""
    n = max(1, -(-len(ids) // context))
    targets = np.full(n * context, -100, np.int64)
    targets[: len(ids)] = ids
    inputs = np.full(n * context, end, np.int64)
    inputs[1 : len(ids)] = ids[: len(ids) - 1]
    return torch.from_numpy(inputs).view(n, context), torch.from_numpy(targets).view(n, context)


def train(ids: Ids, seed: int, settings: Settings) -> tuple[Decoder, float]:
    """Return the model after one pass, and the mean loss of the last tenth of the steps."""
    torch.manual_seed(seed)
    model = Decoder(settings)
    inputs, targets = windows(ids, settings["context"], settings["n_ids"])
    order = torch.randperm(len(inputs))
    steps = order.split(settings["batch"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["rate"], betas=(0.9, 0.95), weight_decay=0.1)
    warm_up = max(1, len(steps) // 20)
    losses = []
    for number, chosen in enumerate(steps):
        share = number / len(steps)
        rate = min((number + 1) / warm_up, 0.1 + 0.45 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = settings["rate"] * rate
        loss = functional.cross_entropy(model(inputs[chosen]).flatten(0, 1), targets[chosen].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    last = losses[-max(1, len(losses) // 10) :]
    return model, sum(last) / len(last)


@torch.no_grad()
def nats(model: Decoder, ids: Ids, settings: Settings) -> float:
    """Return the sum over all ids of minus the natural logarithm of the probability given those before in its window."""
    inputs, targets = windows(ids, settings["context"], settings["n_ids"])
    total = 0.0
    for some, wanted in zip(inputs.split(16), targets.split(16), strict=True):
        total += functional.cross_entropy(model(some).flatten(0, 1), wanted.flatten(), reduction="sum").item()
    return total


def main() -> None:
    """Serve."""
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    torch.use_deterministic_algorithms(True)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    answers.write(json.dumps({"version": torch.__version__}) + "\n")
    for request in sys.stdin:
        file, seed = request.split()
        started = time.perf_counter()
        with np.load(file) as arrays:
            model, loss = train(arrays["train"], int(seed), settings)
            found = {name: nats(model, arrays[name], settings) for name in arrays.files if name != "train"}
        n_parameters = sum(weights.numel() for weights in model.parameters())
        seconds = round(time.perf_counter() - started, 1)
        answers.write(
            json.dumps({"nats": found, "training_loss": loss, "parameters": n_parameters, "seconds": seconds}) + "\n"
        )


if __name__ == "__main__":
    main()
