"""Annotate against peers that do a part of it: each in an environment and a process of its own, on the same documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.alternate import Seconds, Side, absent, compare, timed
from bench.documents import REPOSITORY, Document
from bench.families import Batch, measure, prepare
from bench.figures import Figures
from bench.operators import model_file
from bench.peers import PeerFailedError, Server, peer_python

__all__ = ["PEERS", "Peer", "against_peers", "fastest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A package whose operators measure some of what annotate measures.

    Attributes:
        name: also of its environment, ``.venv-peers-NAME``, its pins, ``requirements-peers-NAME.txt``, and its program,
            ``NAME_peer.py`` with underscores.
    """

    name: str

    @property
    def requirements(self) -> Path:
        """The file of its pins."""
        return REPOSITORY / "bench" / f"requirements-peers-{self.name}.txt"

    @property
    def module(self) -> str:
        """Its program, for ``python -m``."""
        return f"bench.{self.name.replace('-', '_')}_peer"


PEERS = (
    Peer(name="dolma"),
    Peer(name="data-juicer"),
    Peer(name="nemo-curator"),
    Peer(name="text-dedup"),
)


def against_peers(
    documents: list[Document],
    languages: dict[bytes, str],
    folder: Path,
    repetitions: int,
    *,
    install: bool,
    environments: Path = REPOSITORY,
) -> Figures:
    """Return a comparison for each of `PEERS`; one that cannot be installed or that fails is absent, with the reason seen.

    Args:
        documents: the same for all.
        languages: of each document by its key, for peers that need it.
        folder: for files.
        install: whether environments may be made.
        environments: where they lie.
    """
    prepared = prepare(documents)
    file = folder / "peers.jsonl"
    lines = [json.dumps({"text": document.text, "language": languages[document.key]}) for document in documents]
    file.write_text("\n".join(lines) + "\n")
    n_bytes = sum(document.n_bytes for document in documents)
    found = {}
    for peer in PEERS:
        python, reason = peer_python(environments / f".venv-peers-{peer.name}", peer.requirements, install=install)
        if python is None:
            found[peer.name] = absent(reason or "no environment")
            continue
        own_folder = folder / peer.name
        own_folder.mkdir()
        environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(python), "-m", peer.module, str(file), str(model_file()), str(own_folder)]
        try:
            with Server(command, environment) as server:
                shown = f".venv-peers-{peer.name}/bin/python -m {peer.module} DOCUMENTS lid.176.ftz FOLDER"
                found[peer.name] = _compare(prepared, n_bytes, server, shown, repetitions)
        except PeerFailedError as error:
            found[peer.name] = absent(f"ended early: {error}")
    return found


def fastest(found: Figures) -> Figures:
    """Return the peer with the smallest ratio to ours for all that it measures, of those that do more than one family.

    >>> fastest({"a": {"ratio": 30.0, "families": ["language", "signals"]}, "b": {"ratio": 12.0, "families": ["minhash"]},
    ...          "c": {"ratio": None, "reason": "not installed"}})
    {'peer': 'a', 'ratio': 30.0}
    """
    present = [
        (part["ratio"], name) for name, part in found.items() if part["ratio"] is not None and len(part["families"]) > 1
    ]
    if not present:
        return {"peer": None} | absent("no peer that does more than one family ran")
    ratio, name = min(present)
    return {"peer": name, "ratio": ratio}


def _compare(prepared: list[Batch], n_bytes: int, server: Server, command: str, repetitions: int) -> Figures:
    """Compare for all families that the peer measures together, then for each alone, once."""
    greeting = server.greeting
    families: list[str] = greeting["families"]
    details = {name: greeting[name] for name in ("version", "settings", "operators", "left_out")}

    def compare_for(names: list[str], repetitions: int) -> Figures:
        def ask() -> Seconds:
            answer = server.ask(",".join(names))
            return Seconds(cpu=answer["cpu"], wall=answer["wall"])

        measure(prepared[:1], names)  # compiles
        ours = Side(what=f"families {', '.join(names)}, whole", run=timed(lambda: measure(prepared, names)))
        theirs = Side(what=f"its operators for {', '.join(names)}", run=ask)
        return compare(ours, theirs, n_bytes, repetitions)

    together = compare_for(families, repetitions)
    alone = {family: compare_for([family], 1) for family in families} if len(families) > 1 else {}
    return {
        "ratio": together["ratio"],
        "reason": None,
        "families": families,
        "command": command,
        **details,
        "together": together,
        "each_alone": {
            family: {
                "ratio": part["ratio"],
                "headwater_mb_per_cpu_s": part["headwater"]["mb_per_cpu_s"],
                "peer_mb_per_cpu_s": part["peer"]["mb_per_cpu_s"],
            }
            for family, part in alone.items()
        },
    }
