"""A query in words, for people to see how they were understood."""

from retrieval.search.query import CohortQuery, Condition, Event, Group

_BOUNDS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}


def query_words(query: CohortQuery) -> list[str]:
    """The parts of a query, each in words; an empty query has none."""
    said = group_words(query)
    for name, unit in (("age", "years"), ("slice_mm", "mm"), ("day", "days"), ("year", "")):
        low, high = getattr(query, f"{name}_at_least"), getattr(query, f"{name}_at_most")
        if low is not None or high is not None:
            said.append(f"{name.removesuffix('_mm')} {_range(low, high)} {unit}".strip())
    if query.sex:
        said.append({"F": "women", "M": "men"}[query.sex])
    for name in ("modality", "source", "split", "scanner"):
        if getattr(query, name):
            said.append(f"{name} {' or '.join(getattr(query, name))}")
    said += [f'with the words "{words}"' for words in query.phrases]
    said += [f'ranked by "{query.text}"'] if query.text else []
    for when, event in (("before", query.before), ("after", query.after)):
        if event:
            said.append(_event(when, event))
    if query.per_patient:
        said.append(f"the {query.per_patient} of each patient")
    if query.order != "case":
        said.append(f"{query.order} first")
    return said + ([f"at most {query.limit}"] if query.limit else [])


def group_words(group: Group) -> list[str]:
    """Conditions joined, in words."""
    said = [condition_words(one) for one in group.all_of]
    if group.any_of:
        said.append(" or ".join(condition_words(one) for one in group.any_of))
    said += [f"not {condition_words(one)}" for one in group.none_of]
    said += [" and ".join(group_words(nested)) for nested in group.groups]
    if group.either:
        said.append(" or ".join(f"({' and '.join(group_words(one))})" for one in group.either))
    return said


def condition_words(condition: Condition) -> str:
    """One condition in words."""
    name = condition.question.replace("_", " ")
    if condition.choice:
        said = f"{name}: {' or '.join(condition.choice).replace('_', ' ')}"
    elif condition.is_number:
        bounds = [(n, getattr(condition, n)) for n in _BOUNDS]
        said = f"{name} " + " and ".join(
            f"{_BOUNDS[n]} {bound:g}" for n, bound in bounds if bound is not None
        )
    else:
        said = f"{name}: {condition.value}"
    more = [condition.side, " or ".join(condition.change)]
    more.append("or uncertain" if condition.or_uncertain else "")
    more.append("or not mentioned" if condition.or_unmentioned else "")
    return ", ".join(filter(None, (said, *more)))


def _event(when: str, event: Event) -> str:
    near = "" if event.within_days is None else f" by at most {event.within_days:g} days"
    return f"{when} the first report with {' and '.join(group_words(event))}{near}"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"
