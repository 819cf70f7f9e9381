"""How a network begins: anew, or with the weights of a model before it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.bundle.folder import BundleFacts, load_bundle
from training.network import Classes, SegmentationNet, build_network, inherit
from training.network.text import NO_TEXT, embed_classes, make_embedder, nearness
from voxcurate.errors import TrainingError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Beginning:
    """A network before its first step.

    Attributes:
        facts: what its bundle will say, the texts of its classes among it.
        ancestor: the model whose weights it has; None: it begins anew.
        inherited: plain facts of what it took over (`growth.Inheritance`); ``why_not`` says why
            it begins anew although a model was named. Empty without one.
    """

    network: SegmentationNet
    facts: BundleFacts
    ancestor: BundleFacts | None
    inherited: Mapping[str, Any]


def begin(payload: Mapping[str, Any], facts: BundleFacts) -> Beginning:
    """The network of a run (see `training.rounds.payload.payload_of`).

    The classes' texts are embedded here, once; classes of the ancestor keep the vectors that they
    have learnt under. Another backbone than the ancestor's begins anew, on record.

    Raises:
        TrainingError: the network cannot be built, or the ancestor not be read.
        ConfigError: there is no such embedder.
    """
    torch.manual_seed(payload["seed"] & 0x7FFFFFFF)
    classes, facts = _classes(payload, facts)
    network = build_network(facts.network, facts.in_channels, facts.prior, classes.vectors)
    if not payload["warm"]:
        return Beginning(network, facts, None, {})
    ancestor, old = load_bundle(Path(payload["warm"]))
    before = Classes(ancestor.classes, embedder=ancestor.embedder)
    found = inherit(network, old.state_dict(), before, classes, nearness(classes.embedder))
    if found.why_not:
        if payload.get("kept"):  # classes that the cases do not teach
            raise TrainingError(
                f"model {payload['name']}: {', '.join(payload['kept'])} have no label here, and "
                f"the weights before cannot be taken over: {found.why_not}"
            )
        log.warning("model %s begins anew: %s", payload["name"], found.why_not)
        return Beginning(network, facts, None, found.facts())
    kept = {c: ancestor.texts[c] for c in facts.texts if c in ancestor.texts}
    same = ancestor.embedder == facts.embedder
    texts = {**facts.texts, **kept} if same else facts.texts
    return Beginning(network, replace(facts, texts=texts), ancestor, found.facts())


def _classes(payload: Mapping[str, Any], facts: BundleFacts) -> tuple[Classes, BundleFacts]:
    """The class list with its vectors, and the facts with its texts."""
    if facts.network.text == NO_TEXT:
        return Classes(facts.classes, facts.prior), facts
    texts = {c: payload["texts"][c] for c in facts.classes}
    embedder = make_embedder(facts.network.text)
    vectors = embed_classes(embedder, list(texts.values()))
    known = replace(facts, embedder=embedder.name, texts=texts)
    return Classes(facts.classes, facts.prior, vectors, embedder.name), known
