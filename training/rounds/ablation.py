"""A flagship without one of its parts, to see what the part is good for."""

from typing import Any

from training.config import FlagshipConfig, MixConfig, Share

TO_LABELLED = {
    "mix": ("selective", "unlabeled", "synthetic"),
    "synthetic": ("synthetic",),
    "selective": ("selective",),
    "replay": ("replay",),
}


def ablated(config: FlagshipConfig) -> FlagshipConfig:
    """The configuration with the parts in ``without`` switched off.

    Shares of the mix go to ``labelled``, so that steps and samples stay as many. ``mix`` leaves
    labelled samples and replay, ``replay`` leaves this round's cases alone, ``anneal`` lets the
    rate fall to zero on the mix, and ``text`` gives each class a head of its own.
    """
    training = config.training
    mix = training.mix
    for part in config.without:
        for kind in TO_LABELLED.get(part, ()):
            mix = _moved(mix, kind)
    changes: dict[str, Any] = {"mix": mix}
    if "anneal" in config.without:
        changes["anneal"] = training.anneal.model_copy(update={"share": 0.0, "on": "none"})
    parts: dict[str, Any] = {"training": training.model_copy(update=changes)}
    if "text" in config.without:
        parts["text"] = "none"
    return config.model_copy(update=parts)


def _moved(mix: MixConfig, kind: str) -> MixConfig:
    total = _sum(mix.labelled, getattr(mix, kind))
    return mix.model_copy(update={"labelled": total, kind: 0.0})


def _sum(one: Share, other: Share) -> Share:
    (a, b), (c, d) = (v if isinstance(v, tuple) else (v, v) for v in (one, other))
    return a + c if a + c == b + d else (a + c, b + d)
