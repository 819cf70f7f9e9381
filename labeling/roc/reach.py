"""Where a lesion may lie: its organs, and how far it may reach out of them."""

from collections.abc import Sequence

from labeling.roc.config import RocConfig
from labeling.rules import load_anatomy
from voxcurate.classes import Vocabulary

SHIPPED = ("abdomen", "head_neck")


def organs_of(class_id: str, vocabulary: Vocabulary, config: RocConfig) -> tuple[str, ...]:
    """The organs that may hold a lesion: as configured, else the class that contains it and is no
    lesion itself, else the organs that it overlaps. Empty: unknown."""
    if class_id in config.organs:
        return config.organs[class_id]
    if class_id not in vocabulary:
        return ()
    for name in vocabulary.containers(class_id):
        if not vocabulary[name].lesion:
            return (name,)
    beside = {name for name in vocabulary[class_id].overlaps if not vocabulary[name].lesion}
    return tuple(sorted(beside))


def reach_of(class_id: str, vocabulary: Vocabulary, names: Sequence[str] = SHIPPED) -> float | None:
    """How far a lesion may reach out of its organ, in mm; None: no limit is written down.

    Args:
        class_id: the lesion; what is said of a class that contains it holds for it too.
        vocabulary: for the classes that contain it.
        names: files in configs/anatomy, or paths of YAML files.
    """
    anatomy = load_anatomy(vocabulary, names)
    above = vocabulary.containers(class_id) if class_id in vocabulary else []
    for name in (class_id, *above):
        rules = anatomy.classes.get(name)
        if rules is not None and rules.reach_mm is not None:
            return float(rules.reach_mm)
    return None
