"""When rounds stop: each rule says in words how it stands, and none is a feeling."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.config import StopConfig

NEEDS_NO_REVISION = ("keep", "confirm")
UNITS = {"money": "", "hours": " h", "review_minutes": " min of people's time", "steps": " steps"}


@dataclass(frozen=True)
class Gain:
    """Mean paired DSC difference of a round's flagship to the last one's.

    Attributes:
        noise: half width of its confidence interval; None: too few patients to know it.
    """

    mean: float
    noise: float | None


@dataclass(frozen=True)
class RoundFacts:
    """What the decision to stop looks at.

    Attributes:
        number: of the round, from 1.
        top_verdicts: verdicts on the top of the priority list, most urgent first.
        agreement: mean DSC per class of the flagship with what people drew.
        inter_annotator: DSC of two people per class, where known.
        gains: of the rounds so far that have one, the newest last.
        spent: in all rounds so far, by the names of `BudgetConfig`.
        names: of classes, for people; a class without one is told by its id.
    """

    number: int
    top_verdicts: Sequence[str] = ()
    agreement: Mapping[str, float] = field(default_factory=dict)
    inter_annotator: Mapping[str, float] = field(default_factory=dict)
    gains: Sequence[Gain] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One rule: whether it says stop, and how it stands in words."""

    name: str
    stops: bool
    words: str


def stop_rules(facts: RoundFacts, config: StopConfig) -> list[Rule]:
    """All rules, in the order in which they decide.

    The budget is spent; the rounds are used up; the top of the priority list needs no revision
    (AbdomenAtlas, step 8); every class with a known inter-annotator DSC has reached it; the gain
    was below its noise in `patience` rounds, one after the other.
    """
    return [
        _budget(facts, config),
        Rule(
            "rounds",
            facts.number >= config.max_rounds,
            f"round {facts.number} of at most {config.max_rounds}",
        ),
        _top(facts, config),
        _agreement(facts, config),
        _gain(facts, config),
    ]


def stop_reason(facts: RoundFacts, config: StopConfig) -> str:
    """Why to stop after this round: the words of the first rule that says so; empty to go on."""
    return next((rule.words for rule in stop_rules(facts, config) if rule.stops), "")


def _budget(facts: RoundFacts, config: StopConfig) -> Rule:
    limits = {
        name: limit for name, limit in config.budget.model_dump().items() if limit is not None
    }
    if not limits:
        return Rule("budget", False, "no budget was set")
    gone = {name: facts.spent.get(name, 0.0) for name in limits}
    over = [name for name, limit in limits.items() if gone[name] >= limit]
    told = ", ".join(
        f"{gone[name]:,.6g} of {limit:,.6g}{UNITS[name] or ' of money'}"
        for name, limit in limits.items()
        if not over or name in over
    )
    return Rule("budget", bool(over), f"the budget is spent: {told}" if over else f"spent: {told}")


def _top(facts: RoundFacts, config: StopConfig) -> Rule:
    top = list(facts.top_verdicts)[: config.top]
    needed = Counter(verdict for verdict in top if verdict not in NEEDS_NO_REVISION)
    if len(top) < config.top:
        words = f"the priority list has {len(top)} cases; {config.top} are looked at to stop"
        return Rule("top", False, words)
    if not needed:
        return Rule("top", True, f"the {len(top)} most urgent cases need no revision")
    told = ", ".join(f"{n} {verdict}" for verdict, n in needed.most_common())
    words = f"of the {len(top)} most urgent cases {needed.total()} may need a revision ({told})"
    return Rule("top", False, words)


def _agreement(facts: RoundFacts, config: StopConfig) -> Rule:
    people = {**facts.inter_annotator, **config.inter_annotator}
    shared = [class_id for class_id in facts.agreement if class_id in people]
    if not shared:
        return Rule("agreement", False, "for no class the DSC of two people is known")
    away = {c: facts.agreement[c] - people[c] for c in shared}
    short = [c for c in shared if away[c] < 0]
    unknown = sorted(set(config.inter_annotator) - set(facts.agreement))
    of = f"{len(shared)} classes with a known DSC of two people"
    if not short and unknown:
        told = ", ".join(facts.names.get(c, c) for c in unknown)
        words = f"people have drawn nothing yet to compare with: {told}"
        return Rule("agreement", False, words)
    if not short:
        return Rule("agreement", True, f"the agreement has reached that of two people: all {of}")
    worst = min(short, key=lambda c: (away[c], c))
    words = (
        f"{len(shared) - len(short)} of {of} have reached it; furthest away: "
        f"{facts.names.get(worst, worst)} ({facts.agreement[worst]:.3f} of {people[worst]:.3f})"
    )
    return Rule("agreement", False, words)


def _gain(facts: RoundFacts, config: StopConfig) -> Rule:
    last = list(facts.gains)[-config.patience :]
    if not last:
        return Rule("gain", False, "no earlier round to compare with")
    told = " and ".join(_in_words(gain) for gain in last)
    below = [gain.noise is not None and gain.mean <= _worth(gain, config) for gain in last]
    if len(last) < config.patience:
        words = f"a gain of {told}; {config.patience} rounds without any are needed to stop"
        return Rule("gain", False, words)
    if all(below):
        words = (
            f"in {len(last)} rounds one after the other the gain was not above its noise: {told}"
        )
        return Rule("gain", True, words)
    return Rule("gain", False, f"the gain of the last {len(last)} rounds is {told}")


def _worth(gain: Gain, config: StopConfig) -> float:
    return max(config.min_gain, gain.noise or 0.0)


def _in_words(gain: Gain) -> str:
    noise = "unknown" if gain.noise is None else f"{gain.noise:.4f}"
    return f"{gain.mean:+.4f} DSC (noise {noise})"
