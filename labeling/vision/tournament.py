"""A knock-out of candidates, the current label the defender: n - 1 comparisons, not n squared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling.vision import protocol
from labeling.vision.config import VisionConfig
from labeling.vision.prompts import Example
from labeling.vision.protocol import Play
from labeling.vision.wording import Wording
from voxcurate.protocols import Verdict

ALONE = "like no other, the champion like most"
SAME = "the same picture"


@dataclass(frozen=True, eq=False)
class Contest:
    """One structure on one scan and the candidates for its label, the current one first.

    Attributes:
        wording: what is told of the class.
        empty: which candidates hold nothing.
        alike: whether two candidates differ too little to be told apart.
        picture: a candidate's overlay as PNG; asked for only where it is shown.
        skeleton: the bare skeleton as PNG.
        in_view: whether the class lies in the scan, where something else than the model knows it.
        examples: shown before.
        is_crowd: whether the candidates come from different hands, so that many that agree say
            something; repairs of the label agree with it by their making.
    """

    wording: Wording
    empty: Sequence[bool]
    alike: Callable[[int, int], bool]
    picture: Callable[[int], bytes]
    skeleton: Callable[[], bytes]
    in_view: bool | None = None
    examples: Sequence[Example] = ()
    is_crowd: bool = True


@dataclass
class _Course:
    """What has happened so far."""

    champion: int = 0
    lost: list[int] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    won: list[float] = field(default_factory=list)  # confidences of the champion's victories
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: int = 0
    by_rule: str = ""
    is_open: bool = False  # the label met one with which it tied

    @property
    def was_asked(self) -> bool:
        """Whether any two candidates were compared."""
        return any("orders" in row for row in self.rows)

    def note(self, challenger: int, **what: Any) -> None:
        self.rows.append({"champion": self.champion, "challenger": challenger, **what})

    def crown(self, challenger: int) -> None:
        self.lost.append(self.champion)
        self.champion, self.won, self.is_open = challenger, [], False

    def tied(self, challenger: int, **what: Any) -> None:
        self.note(challenger, **what)
        self.lost.append(challenger)
        self.is_open |= not self.champion


def contest(given: Contest, config: VisionConfig) -> Play[Verdict]:
    """Presence check, knock-out, confirmation.

    A challenger must win in both orders; the current label defends itself by any tie, but a label
    that has tied is not called the best: nobody can tell, whomever else it has beaten. What is like
    the champion, or like one that did not win, is not asked, nor what has the same picture, which
    is a tie, nor, in a crowd of candidates most of which are like the champion, one that is like no
    other. Where the class lies outside the scan
    the first empty candidate wins by rule, and where it lies inside all empty ones lose, unless a
    patient may lack it (a lesion, what surgery takes, what one sex has). A candidate alone is only
    called right or wrong.

    Returns:
        `choice` is None where nobody can tell, all are alike (evidence "alike") or all are bad
        (evidence "both_bad": a case for people). Evidence "comparisons" holds every step with the
        answers in both orders, "failed" the replies that said nothing, "champion" who was left.
    """
    n = len(given.empty)
    if n == 0:
        return Verdict(None, 0.0, "no candidates", _evidence(given, _Course(), None, ""))
    course = _Course()
    if n > 1 and all(given.alike(0, k) for k in range(1, n)):
        found = _evidence(given, course, given.in_view, "", alike=True)
        return Verdict(None, 0.5, "the candidates are alike", found)
    seen, problem = given.in_view, ""
    if seen is None and config.ask_presence:
        seen, problem = yield from protocol.presence(given.wording, given.skeleton())
        course.failed += bool(problem)
    players = _by_rule(given, seen, course)
    if players:
        course.champion = players[0]
        yield from _knock_out(given, config, course, players[1:])
    confirmed = ""
    is_alone = len(given.empty) == 1
    if course.champion in players and (is_alone or (course.champion and config.confirm)):
        confirmed, why = yield from protocol.opinion(
            given.wording, given.picture(course.champion), given.examples
        )
        course.failed += bool(why)
        if confirmed == "no":
            course.bad.add(course.champion)
        if is_alone and confirmed == "yes":
            course.by_rule = "the model calls it right"
    evidence = _evidence(given, course, seen, problem, confirmed=confirmed)
    return _verdict(course, config, evidence, players, confirmed)


def _by_rule(given: Contest, seen: bool | None, course: _Course) -> list[int]:
    """The candidates that are left to compare; a winner by rule is put down as champion."""
    everyone = range(len(given.empty))
    there = [k for k in everyone if not given.empty[k]]
    if seen is False:
        nothing = [k for k in everyone if given.empty[k]]
        course.bad.update(there)
        if nothing:
            course.champion = nothing[0]
            course.by_rule = "the class lies outside the scan: an empty label is right"
        return []
    if seen is True and not given.wording.is_optional and len(there) < len(given.empty):
        course.bad.update(k for k in everyone if given.empty[k])
        course.by_rule = "the class lies in the scan: an empty label is wrong"
        course.lost += [k for k in everyone if given.empty[k]]
        return there
    return list(everyone)


def _knock_out(
    given: Contest, config: VisionConfig, course: _Course, challengers: Sequence[int]
) -> Play[None]:
    for k in challengers:
        if given.alike(course.champion, k):
            course.note(k, outcome="alike")
            continue
        if any(given.alike(loser, k) for loser in course.lost):
            course.note(k, outcome="alike one that did not win")
            continue
        if _stands_alone(given, config, course.champion, k):
            course.note(k, outcome=ALONE)
            continue
        one, other = given.picture(course.champion), given.picture(k)
        if one == other:
            course.tied(k, outcome=SAME)
            continue
        compared = yield from protocol.comparison(given.wording, one, other, config, given.examples)
        course.failed += compared.failed
        if compared.outcome == "tie":
            course.tied(k, **compared.plain())
            continue
        course.note(k, **compared.plain())
        if compared.outcome == "second":
            course.crown(k)
            course.won.append(compared.confidence)
            continue
        course.lost.append(k)
        if compared.outcome == "first":
            course.won.append(compared.confidence)
        elif compared.outcome == "both_bad":
            course.bad.update((course.champion, k))


def _stands_alone(given: Contest, config: VisionConfig, champion: int, challenger: int) -> bool:
    """Whether a challenger is like no other of many candidates, and the champion like most."""
    n = len(given.empty)
    if n < config.crowd or not given.is_crowd:
        return False
    if any(given.alike(challenger, k) for k in range(n) if k != challenger):
        return False
    like = sum(given.alike(champion, k) for k in range(n) if k not in (champion, challenger))
    return like >= config.quorum * (n - 2)


def _verdict(
    course: _Course,
    config: VisionConfig,
    evidence: dict[str, Any],
    players: Sequence[int],
    confirmed: str,
) -> Verdict:
    champion, n = course.champion, len(evidence["empty"])
    if champion in course.bad:
        evidence["both_bad"] = True
        return Verdict(None, 0.5, "no candidate is right", evidence)
    if course.is_open:
        return Verdict(None, 0.5, "the model cannot tell", evidence)
    if course.won:
        confidence, reason = min(course.won), f"preferred in both orders, {len(course.won)} times"
    elif course.by_rule and (champion or len(players) < n or n == 1):
        confidence, reason = config.agreed_confidence, course.by_rule
    elif {row["outcome"] for row in course.rows} & {ALONE} and not course.was_asked:
        confidence, reason = config.unconfirmed_confidence, "most candidates are like it"
    else:
        return Verdict(None, 0.5, "the model cannot tell", evidence)
    if champion in players and champion and config.confirm and confirmed != "yes":
        confidence = min(confidence, config.unconfirmed_confidence)
        reason += "; not confirmed"
    return Verdict(champion, round(confidence, 4), reason, evidence)


def _evidence(
    given: Contest, course: _Course, seen: bool | None, problem: str, **more: Any
) -> dict[str, Any]:
    found: Mapping[str, Any] = {
        "in_view": seen,
        "empty": list(given.empty),
        "comparisons": course.rows,
        "champion": course.champion,
        "failed": course.failed,
        "both_bad": False,
        "alike": False,
        "wording": given.wording.version,
        **({"presence_error": problem} if problem else {}),
        **more,
    }
    return dict(found)
