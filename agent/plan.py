"""A clinical need in plain words made into a round's plan, for a person to look over and change."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from retrieval.questions import Question, load_questions
from retrieval.rules.anatomy import organ_mentions
from retrieval.rules.phrases import PhraseFinder, longest
from retrieval.search.ask import ask
from retrieval.search.query import CohortQuery, Condition
from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.config import Config, dump_yaml
from voxcurate.errors import ConfigError, ModelReplyError
from voxcurate.protocols import ChatEngine, Message

_BUDGET = re.compile(r"\b(\d+)\s+(?:reviews?|revisions?)\b", re.I)
_DEFAULT_BUDGET = 20
_SHOWN_ELSEWHERE = 12  # more target classes than this are a sign of a vague need


class RoundPlan(Config):
    """What a round is to do, and what of the need was not understood."""

    need: str
    classes: tuple[str, ...] = Field((), description="target classes, lesions with their organ")
    query: CohortQuery = Field(default_factory=CohortQuery)
    models: tuple[str, ...] = Field((), description="models to predict with; empty: the whole zoo")
    review_budget: int = Field(_DEFAULT_BUDGET, ge=0, description="structures that people look at")
    not_understood: tuple[str, ...] = ()


class PlanReply(BaseModel):
    """A language model's plan, before it is checked against the vocabulary."""

    model_config = ConfigDict(extra="ignore")

    classes: list[str]
    query: CohortQuery = Field(default_factory=CohortQuery)
    not_understood: list[str] = Field(default_factory=list)


def plan_from_need(
    need: str, vocabulary: Vocabulary, engine: ChatEngine | None = None
) -> RoundPlan:
    """The plan of a need such as "pancreatic tumours under 2 cm in the portal venous phase".

    Without an engine the words are looked up (classes, organs, findings, sizes, ages, phases); with
    one a language model plans, and whatever it names that the vocabulary or the questions do not
    know goes to `not_understood`.

    Raises:
        ConfigError: the need is empty.
        ModelReplyError: the engine gave no plan that fits.
    """
    if not need.strip():
        raise ConfigError("want a clinical need in words, found nothing")
    if engine is not None:
        return _by_model(need, vocabulary, engine)
    asked = ask(need)
    questions = {item.id: item for item in load_questions()}
    named, spans = _named_classes(need, vocabulary)
    for condition in asked.query.conditions():
        named.extend(_about(condition, questions, vocabulary))
    left = [w for w in asked.not_understood if not _is_inside(w, need, spans)]
    budget = _BUDGET.search(need)
    if budget:
        left = [word for word in left if word != budget.group(1)]
    return RoundPlan(
        need=need,
        classes=_with_organs(named, vocabulary),
        query=_silence_allowed(asked.query),
        review_budget=int(budget.group(1)) if budget else _DEFAULT_BUDGET,
        not_understood=tuple(left),
    )


def plan_yaml(plan: RoundPlan) -> str:
    """The plan as a round's YAML, with comments for the person who edits it."""
    not_understood = ", ".join(plan.not_understood)
    head = "# A round's plan. Look it over, change what is wrong, then: voxcurate round THIS_FILE\n"
    if not_understood:
        head += f"# NOT UNDERSTOOD, and therefore not part of the plan: {not_understood}\n"
    if not plan.classes:
        head += "# No class was recognised: name the target classes below (ids of classes.yaml).\n"
    elif len(plan.classes) > _SHOWN_ELSEWHERE:
        head += "# Many classes: a narrower need makes a shorter round.\n"
    query = plan.query.model_dump(mode="json", exclude_defaults=True)
    parts = [
        head + dump_yaml({"need": plan.need}),
        "# What to segment; a lesion comes with the organ that holds it.\n"
        + dump_yaml({"classes": list(plan.classes)}),
        "# Which scans: every condition must hold. {} takes all. Sizes in mm, ages in years.\n"
        "# value: yes, no or uncertain; above, at_least, at_most, below bound a size.\n"
        + dump_yaml({"retrieval": {"query": query}}),
        "# How many structures people are asked to look at, and which models predict ([]: all).\n"
        + dump_yaml({"labeling": _labeling(plan)}),
    ]
    return "\n".join(parts)


def _labeling(plan: RoundPlan) -> dict[str, Any]:
    return {"review": {"budget": plan.review_budget}, "fuse": {"models": list(plan.models)}}


def _about(
    condition: Condition, questions: dict[str, Question], vocabulary: Vocabulary
) -> list[str]:
    """The classes of a condition's question, with the organ that it asks about."""
    question = questions[condition.question]
    if condition.value == "no" or not question.classes:
        return []
    organs = [c for c in vocabulary.ids() if _is_organ(vocabulary[c], question.organ)]
    return [*(c for c in question.classes if c in vocabulary), *organs]


def _named_classes(need: str, vocabulary: Vocabulary) -> tuple[list[str], list[tuple[int, int]]]:
    """Classes named by a name or alias, by a name without its side, or as an organ's adjective."""
    classes = [vocabulary[class_id] for class_id in vocabulary.ids()]
    names = [(name, item.id) for item in classes for name in _names(item)]
    found: list[str] = []
    spans: list[tuple[int, int]] = []
    best = longest(PhraseFinder((name, name) for name in {n for n, _ in names}).find(need))
    for match in best:
        found.extend(class_id for name, class_id in names if name == match.payload)
        spans.append((match.start, match.end))
    for organ in organ_mentions(need):
        wanted = [item.id for item in classes if _is_organ(item, organ.payload)]
        if wanted and not any(s < organ.end and organ.start < e for s, e in spans):
            found.extend(wanted)
            spans.append((organ.start, organ.end))
    return list(dict.fromkeys(found)), spans


def _names(item: ClassInfo) -> list[str]:
    """Names as people write them; aliases of less than three letters say too little."""
    names = {item.id.replace("_", " "), item.name, *(a.replace("_", " ") for a in item.aliases)}
    if item.side:
        names.add(item.name.replace(item.side, "").strip())
    generic = item.lesion and not item.region
    return sorted({n.lower() for n in names if len(n) > 2} if not generic else set())


def _is_organ(item: ClassInfo, organ: str) -> bool:
    if item.lesion or item.inside:
        return False
    return item.id == organ or (bool(item.side) and item.id.startswith(f"{organ}_"))


def _with_organs(classes: list[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Each class once, a lesion followed by what contains it; classes of the vocabulary's order."""
    wanted = {*classes, *(c for name in classes for c in vocabulary.containers(name))}
    return tuple(class_id for class_id in vocabulary.ids() if class_id in wanted)


def _is_inside(word: str, need: str, spans: list[tuple[int, int]]) -> bool:
    places = [m.span() for m in re.finditer(rf"\b{re.escape(word)}\b", need)]
    return bool(places) and all(any(s <= a and b <= e for s, e in spans) for a, b in places)


def _by_model(need: str, vocabulary: Vocabulary, engine: ChatEngine) -> RoundPlan:
    questions = {item.id: item for item in load_questions()}
    prompt = _prompt().format(
        classes=", ".join(vocabulary.ids()),
        questions="\n".join(f"- {q.id} ({q.kind}): {q.text}" for q in questions.values()),
        need=need,
    )
    reply = engine.chat([[Message("user", prompt)]], PlanReply)[0]
    if not isinstance(reply.parsed, PlanReply):
        raise ModelReplyError(f"no plan: {reply.error}")
    planned = reply.parsed
    resolved = {name: vocabulary.resolve(name) for name in planned.classes}
    query, strange = _known_only(planned.query, questions)
    unknown = [name for name, class_id in resolved.items() if class_id is None]
    return RoundPlan(
        need=need,
        classes=_with_organs([c for c in resolved.values() if c], vocabulary),
        query=query,
        not_understood=(*planned.not_understood, *unknown, *strange),
    )


def _silence_allowed(query: CohortQuery) -> CohortQuery:
    """Scans without a report stay in where only the part of the body is asked for."""
    loosened = [
        c.model_copy(update={"or_unmentioned": True}) if c.question == "region" else c
        for c in query.all_of
    ]
    return query.model_copy(update={"all_of": tuple(loosened)})


def _known_only(
    query: CohortQuery, questions: dict[str, Question]
) -> tuple[CohortQuery, list[str]]:
    """The query without conditions, and groups of them, that name a question we do not have."""
    own = {name: getattr(query, name) for name in ("all_of", "any_of", "none_of")}
    kept: dict[str, Any] = {
        name: tuple(c for c in conditions if c.question in questions)
        for name, conditions in own.items()
    }
    for name in ("groups", "either"):
        kept[name] = tuple(g for g in getattr(query, name) if g.questions() <= questions.keys())
    for name in ("before", "after"):
        event = getattr(query, name)
        kept[name] = event if event is None or event.questions() <= questions.keys() else None
    named = query.questions().union(*(e.questions() for e in (query.before, query.after) if e))
    return query.model_copy(update=kept), sorted(named - questions.keys())


@cache
def _prompt() -> str:
    text = files("agent").joinpath("plan.md").read_text(encoding="utf-8")
    return text.partition("\n")[2]
