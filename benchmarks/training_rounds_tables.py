"""Tables of `benchmarks.training_rounds`, as Markdown: means over classes of means over patients,
and paired differences with bootstrap intervals over the patients of the test split."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from voxcurate.intervals import difference_interval, mean_interval

LAST = "flagship of round 2"
ORDER = ("plain MONAI U-Net", "cold start", "flagship of round 1", LAST, "round 2 tuned")
Values = dict[str, dict[str, float]]  # class -> case


def comparison_table(done: Mapping[str, Any]) -> str:
    """Every model over the seeds that have it, and round 2's flagship minus it, patient by
    patient."""
    models = _models(done, lambda piece: not _is_ablation(piece))
    lines = [
        "| model | seeds | DSC | 95 % | NSD | round 2 minus it (DSC) | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    patients = _patients(done)
    best = models.get(LAST, {})
    for name in sorted(models, key=_rank):
        by_seed = models[name]
        dsc, nsd = (over_seeds(by_seed, kind) for kind in ("dsc", "nsd"))
        cells = [name, str(len(by_seed)), *_mean(dsc, patients), _mean(nsd, patients)[0]]
        shared = sorted(set(best) & set(by_seed))
        if name != LAST and shared:
            one, two = (over_seeds({s: m[s] for s in shared}, "dsc") for m in (best, by_seed))
            cells += _difference(one, two, patients)
        else:
            cells += ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ablation_table(done: Mapping[str, Any], not_here: Mapping[str, str]) -> str:
    """Round 2's flagship without each part, against itself with all (one seed)."""
    whole = _models(done, lambda piece: piece == "s0_round2").get(LAST, {}).get("s0")
    lines = ["| without | DSC | minus the whole (DSC) | 95 % |", "|---|---|---|---|"]
    patients = _patients(done)
    if whole is not None:
        lines.append(f"| nothing | {_mean(whole['dsc'], patients)[0]} | | |")
    parts = _models(done, _is_ablation)
    for name in sorted(parts):
        values = parts[name]["s0"]["dsc"]
        cells = [name.removeprefix("without "), _mean(values, patients)[0]]
        cells += _difference(values, whole["dsc"], patients) if whole is not None else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"| {part} | {why} | | |" for part, why in not_here.items()]
    return "\n".join(lines)


def over_seeds(by_seed: Mapping[str, Mapping[str, Values]], kind: str) -> Values:
    """The mean over seeds of each class and case; a case counts where every seed has it."""
    tables = [scores[kind] for scores in by_seed.values()]
    if not tables:
        return {}
    found: Values = {}
    for class_id in sorted(set.intersection(*(set(t) for t in tables))):
        cases = set.intersection(*(set(t[class_id]) for t in tables))
        found[class_id] = {
            case: sum(t[class_id][case] for t in tables) / len(tables) for case in sorted(cases)
        }
    return found


def _models(done: Mapping[str, Any], wanted: Any) -> dict[str, dict[str, Mapping[str, Values]]]:
    """Model to seed to its scores."""
    found: dict[str, dict[str, Mapping[str, Values]]] = {}
    for piece, told in done.items():
        if wanted(piece):
            for name, model in told["models"].items():
                found.setdefault(name, {})[piece.split("_")[0]] = model["scores"]
    return found


def _patients(done: Mapping[str, Any]) -> dict[str, str]:
    return {case: who for told in done.values() for case, who in told["patients"].items()}


def _is_ablation(piece: str) -> bool:
    return "_without_" in piece or "_with_" in piece


def _mean(values: Values, patients: Mapping[str, str]) -> list[str]:
    return _shown(mean_interval(values, patients, seed=0), sign="")


def _difference(one: Values, two: Values, patients: Mapping[str, str]) -> list[str]:
    return _shown(difference_interval(one, two, patients, seed=0), sign="+")


def _shown(found: Any, *, sign: str) -> list[str]:
    if found is None:
        return ["", ""]
    bounds: Iterable[float | None] = (found.low, found.high)
    text = " to ".join("?" if b is None else f"{b:{sign}.3f}" for b in bounds)
    return [f"{found.mean:{sign}.3f}", text]


def _rank(name: str) -> tuple[int, str]:
    places: Sequence[int] = [n for n, start in enumerate(ORDER) if re.match(start, name)]
    return (places[0] if places else len(ORDER), name)
