"""How a training run took the sequences of a stage, as ``steps``, ``impact`` and ``takedown`` are told it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from headwater.cli.numbers import WHOLE, WholeRange
from headwater.cli.options import together
from headwater.errors import UsageError

if TYPE_CHECKING:
    from headwater.lineage.training_order import TrainingOrder

__all__ = ["Training", "epochs_option", "training_options", "training_order"]

_Command = TypeVar("_Command", bound=Callable[..., object])


class Training(TypedDict):
    """What the options give a command, ``epochs_option`` among them."""

    batch_size: int | None
    seed: int | None
    no_shuffle: bool
    epochs: int
    trainer: str
    train_samples: int | None
    split: str
    no_extra_token: bool


epochs_option = click.option(
    "--epochs",
    type=WholeRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many epochs the reader made.",
)


def training_options(
    batch_size: str, *, required: bool = False, samples: str = "--train-samples"
) -> Callable[[_Command], _Command]:
    """Return what adds the options to a command.

    Args:
        batch_size: help of the option of that name.
        required: whether the command needs that one.
        samples: name of the option that says how many samples Megatron was asked for.
    """
    return together(
        click.option("--batch-size", type=WholeRange(min=1), required=required, metavar="B", help=batch_size),
        click.option(
            "--seed",
            type=WHOLE,
            metavar="N",
            help="Seed of the reader (by default 0) or of Megatron (by default 1234).",
        ),
        click.option("--no-shuffle", is_flag=True, help="The reader kept the stored order."),
        click.option(
            "--for",
            "trainer",
            type=click.Choice(["reader", "megatron"]),
            default="reader",
            show_default=True,
            help="Whose reading order applies.",
        ),
        click.option(
            samples,
            "train_samples",
            type=WholeRange(min=1),
            metavar="N",
            help="Megatron: iterations times the global batch size.",
        ),
        click.option(
            "--split", default="1,0,0", show_default=True, metavar="A,B,C", help="Megatron: the value of its --split."
        ),
        click.option("--no-extra-token", is_flag=True, help="Megatron: add_extra_token_to_sequence was off."),
    )


def training_order(given: Training) -> TrainingOrder | None:
    """Return the order that the options tell, None where no batch size is among them.

    Raises:
        UsageError: they tell how training read, and no batch size; or what no training run has.
    """
    from headwater.lineage.training_order import TrainingOrder

    if given["batch_size"] is None:
        if given["seed"] is not None or given["train_samples"] is not None:
            raise UsageError("expected --batch-size B beside what says how training read, found none")
        return None
    return TrainingOrder(
        batch_size=given["batch_size"],
        trainer=given["trainer"],
        seed=given["seed"],
        shuffle=not given["no_shuffle"],
        epochs=given["epochs"],
        samples=given["train_samples"] if given["trainer"] == "megatron" else None,
        extra_token=not given["no_extra_token"],
        split=given["split"],
    )
