"""Another class list for a network that has learnt: heads move with their class, new ones begin
where the nearest class is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from training.network.heads import prior_bias
from training.network.model import SegmentationNet

State = Mapping[str, torch.Tensor]
FREE = ("heads.weight", "heads.bias")  # rows of classes
TEXT = "heads.text"
CONTROLLER = ("heads.norm.", "heads.image.", "heads.words.", "heads.give.")


@dataclass(frozen=True)
class Start:
    """Where a new class's head began: at another class, or (empty) at its own prior."""

    class_id: str
    source: str
    similarity: float

    def __str__(self) -> str:
        return f"{self.source} ({self.similarity:.2f})" if self.source else "prior"


@dataclass(frozen=True)
class Inheritance:
    """What a network took over from another.

    Attributes:
        why_not: why it took over nothing; empty if it did.
        started: new classes and where their heads began.
        dropped: classes that are not wanted any more.
        notes: what of the text heads could not be taken over.
    """

    why_not: str = ""
    started: tuple[Start, ...] = ()
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "why_not": self.why_not,
            "started": {start.class_id: str(start) for start in self.started},
            "dropped": list(self.dropped),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Classes:
    """A class list as a network needs it.

    Attributes:
        prior: share of foreground voxels per class.
        vectors: ``(classes, D)`` of the classes' texts; None: plain heads.
        embedder: that made them.
    """

    ids: Sequence[str]
    prior: Sequence[float] = ()
    vectors: npt.NDArray[np.float32] | None = field(default=None)
    embedder: str = ""


def grow(
    state: State, old: Sequence[str], new: Classes, near: float
) -> tuple[dict[str, torch.Tensor], tuple[Start, ...]]:
    """A network's state for another class list.

    Classes may come, go and change places; the outputs of those that stay do not change, and
    their text vectors stay as they were. The head of a new class starts as that of the nearest
    old class by text, its own text taking the other's place in the controller; where none is as
    near as `near`, or without text, it starts at the class's prior with weights of zero.

    Args:
        state: of a network with classes `old`; not changed.
        new: the wanted classes; `prior` and `vectors` are used for those that are new.
        near: cosine from which a class lends its head.

    Returns:
        the state, and where each new class began.
    """
    rows = {name: state[name] for name in (*FREE, TEXT) if name in state}
    weight = rows["heads.weight"]
    place = {class_id: n for n, class_id in enumerate(old)}
    vectors = None if new.vectors is None else torch.from_numpy(new.vectors)
    made: dict[str, list[torch.Tensor]] = {name: [] for name in rows}
    started = []
    shifts = prior_bias(new.prior) if new.prior else torch.full((len(new.ids),), -4.0)
    for n, class_id in enumerate(new.ids):
        at = place.get(class_id)
        if at is None:
            vector = None if vectors is None or TEXT not in rows else vectors[n]
            at, start = _nearest(class_id, vector, rows.get(TEXT), old, near)
            started.append(start)
            if TEXT in rows:
                made[TEXT].append(rows[TEXT].new_zeros(()) if vector is None else vector)
        elif TEXT in rows:
            made[TEXT].append(rows[TEXT][at])
        made[FREE[0]].append(weight.new_zeros(weight.shape[1:]) if at is None else weight[at])
        made[FREE[1]].append(shifts[n] if at is None else rows[FREE[1]][at])
    grown = {name: value.clone() for name, value in state.items()}
    for name, parts in made.items():
        grown[name] = torch.stack([part.to(rows[name].dtype) for part in parts]).clone()
    return grown, tuple(started)


def inherit(
    network: SegmentationNet, state: State, old: Classes, new: Classes, near: float
) -> Inheritance:
    """Fill a new network with another's weights, as far as they fit.

    The backbone has to fit whole, or the network stays as it is and `why_not` says so. Text heads
    over plain ones begin as the plain ones; with another embedder the controller begins anew.

    Args:
        network: made for the classes `new`; changed in place.
        state: of the other, made for `old`.
    """
    own = network.state_dict()
    heads = (*FREE, TEXT, *CONTROLLER)
    for name in sorted(own.keys() | state.keys()):
        if name.startswith(heads):
            continue
        if name not in state or name not in own:
            return Inheritance(why_not="the networks are built differently")
        if state[name].shape != own[name].shape:
            return Inheritance(why_not=f"another shape of {name}")
    if state[FREE[0]].shape[1:] != own[FREE[0]].shape[1:]:
        return Inheritance(why_not="heads of another width")
    has_text, had_text = TEXT in own, TEXT in state
    same_text = has_text and had_text and old.embedder == new.embedder
    given = dict(state)
    notes = []
    if had_text and not same_text:
        given = {k: v for k, v in given.items() if not k.startswith((TEXT, *CONTROLLER))}
        notes.append("text heads are gone" if not has_text else "text heads begin anew")
    elif has_text and not had_text:
        notes.append("text heads begin above the plain ones")
    grown, started = grow(given, old.ids, new, near)
    network.load_state_dict({**own, **grown})
    dropped = tuple(c for c in old.ids if c not in new.ids)
    return Inheritance(started=started, dropped=dropped, notes=tuple(notes))


def _nearest(
    class_id: str,
    vector: torch.Tensor | None,
    known: torch.Tensor | None,
    old: Sequence[str],
    near: float,
) -> tuple[int | None, Start]:
    """Position of the class that lends its head, if any."""
    if vector is None or known is None or not len(old):
        return None, Start(class_id, "", 0.0)
    cosines = torch.nn.functional.cosine_similarity(known.float(), vector[None].float(), dim=1)
    best = int(cosines.argmax())
    similarity = float(cosines[best])
    if similarity < near:
        return None, Start(class_id, "", similarity)
    return best, Start(class_id, old[best], similarity)
