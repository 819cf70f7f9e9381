"""What the worker gets of a run: plain data, in a round or alone on files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from training.config import NetworkConfig, TrainingConfig, network_config
from training.synthetic.health import Asked, Proof, lesion_sites
from voxcurate.catalog import Model
from voxcurate.classes import Vocabulary
from voxcurate.errors import TrainingError
from voxcurate.ids import content_id


@dataclass(frozen=True)
class Run:
    """One model to be trained.

    Attributes:
        cases: plain `CaseSpec` of the labelled cases.
        memory: of labelled cases of earlier rounds, to be replayed.
        raw: of scans without labels (masked reconstruction).
        anneal: of cases with their best labels only.
        warm: the model whose weights it starts from.
        text: embedder of the classes' texts; empty: as the network's file says.
        kept: classes of `warm` that stay though no case is labelled with them.
        asked: lesion class to the questions about it, for synthetic tumours.
        aside: what its memory gets beside these cases (`training.replay.memory.Memory`).
    """

    name: str
    role: str
    network: str
    classes: tuple[str, ...]
    training: TrainingConfig
    steps: int
    cases: Sequence[Mapping[str, Any]]
    raw: Sequence[Mapping[str, Any]] = ()
    anneal: Sequence[Mapping[str, Any]] = ()
    memory: Sequence[Mapping[str, Any]] = ()
    fold: int | None = None
    warm: Model | None = None
    text: str = ""
    kept: Sequence[str] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)
    aside: Mapping[str, Any] = field(default_factory=dict)


def payload_of(
    run: Run,
    vocabulary: Vocabulary,
    *,
    spacing: Sequence[float],
    seed: int,
    round_number: int,
    patients: Sequence[str],
    licences: Sequence[str],
    warm: Path | None = None,
    proofs: Mapping[str, Mapping[str, Proof]] | None = None,
) -> dict[str, Any]:
    """What the worker gets of a run, in a round or alone on files; its places come on top.

    Args:
        proofs: see `training.synthetic.health.healthy`; None: the labels themselves tell where
            synthetic tumours may grow.

    Raises:
        TrainingError: the network cannot take patches of that shape.
    """
    from training.network.text import NO_TEXT, class_texts

    config = _network(run)
    _check_patch(run, config)
    return {
        "name": run.name,
        "round": round_number,
        "classes": list(run.classes),
        "cases": list(run.cases),
        "memory": list(run.memory),
        "kept": list(run.kept),
        "aside": dict(run.aside),
        "raw": list(run.raw),
        "anneal": list(run.anneal),
        "spacing": list(spacing),
        "network": config.model_dump(mode="json"),
        "training": run.training.model_dump(mode="json"),
        "steps": run.steps,
        "seed": int(content_id("train", seed, run.role, run.name), 16) & 0x7FFFFFFF,
        "fold": run.fold,
        "swap": _swap(vocabulary, run),
        "texts": {} if config.text == NO_TEXT else class_texts(run.classes, vocabulary),
        "inside": _inside(vocabulary, run),
        "disjoint": _disjoint(vocabulary, run),
        "tumours": {
            "sites": lesion_sites(run.classes, vocabulary, run.training.synthetic),
            "cases": proofs,
        },
        "patients": sorted(set(patients)),
        "licence": "; ".join(sorted(set(licences))),
        "warm": str(warm) if warm else "",
    }


def _check_patch(run: Run, network: NetworkConfig) -> None:
    from training.planning import divisor_of

    divisor, patch = divisor_of(network), run.training.patch
    if any(n % divisor for n in patch) or all(n == divisor for n in patch):
        raise TrainingError(
            f"model {run.name}: network {run.network} wants patch sides divisible by {divisor}, "
            f"one of them at least {2 * divisor}, found {'x'.join(map(str, patch))}"
        )


def _network(run: Run) -> NetworkConfig:
    config = network_config(run.network)
    return config.model_copy(update={"text": run.text}) if run.text else config


def _inside(vocabulary: Vocabulary, run: Run) -> dict[str, str]:
    """Class to the innermost class of the run that contains it."""
    around = {c: vocabulary.containers(c) for c in run.classes if c in vocabulary}
    found = {c: [o for o in outer if o in run.classes] for c, outer in around.items()}
    return {c: outer[0] for c, outer in found.items() if outer}


def _disjoint(vocabulary: Vocabulary, run: Run) -> list[list[str]]:
    """Pairs of classes that share no voxel; only if the training makes use of them."""
    if not (run.training.exclusion or run.training.exclusion_as_background):
        return []
    known = [c for c in run.classes if c in vocabulary]
    return [[a, b] for a, b in combinations(known, 2) if not vocabulary.may_overlap(a, b)]


def _swap(vocabulary: Vocabulary, run: Run) -> dict[str, str] | None:
    from training.data.patches import mirror_swap

    found = mirror_swap(run.classes, vocabulary, run.training.augment)
    if found is None:
        return None
    return {
        class_id: run.classes[n] if n >= 0 else ""
        for class_id, n in zip(run.classes, found.tolist(), strict=True)
    }
