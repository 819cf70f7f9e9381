"""Where the clauses of a sentence begin and end, and how far back a list reads on."""

from retrieval.rules.cues import PREPOSITIONS, Cue, word_lists

_CLAUSE_LOOKAHEAD = 6
_LIST_LOOKBACK = 8  # words
_LONGEST_LIST_ITEM = 3  # words


def boundaries(words: list[str]) -> tuple[list[int], list[int]]:
    """Where a clause of its own begins: the places of its comma, semicolon or "and".

    The second list has the commas before which no verb stands: "No mass, the kidneys are normal"
    is two clauses, "effusion, pneumothorax was not seen" one.
    """
    verbs, relative = word_lists()["verbs"], word_lists()["relative"]
    hard: list[int] = []
    soft: list[int] = []
    has_verb = False
    for p, word in enumerate(words):
        if word in verbs and not (p and words[p - 1] in relative):
            has_verb = True
        elif word == ";" or (
            (word == "," or (word == "and" and has_verb)) and _is_clause(words, p + 1, word, verbs)
        ):
            (hard if has_verb or word == ";" else soft).append(p)
            has_verb = False
    return hard, soft


def _is_clause(words: list[str], at: int, joint: str, verbs: frozenset[str]) -> bool:
    """A few words that do not go on with a list, then a verb."""
    if at < len(words) and words[at] in ("or", "and", "nor", "which", "that", *verbs):
        is_and = joint == "," and at < len(words) and words[at] == "and"
        is_list = "," in words[max(0, at - _LIST_LOOKBACK) : at - 1]
        return is_and and (
            _has_own(words, at + 1) or (not is_list and _is_clause(words, at + 1, "and", verbs))
        )
    for p in range(at, min(len(words), at + _CLAUSE_LOOKAHEAD)):
        if words[p] in verbs:
            return p > at
        if words[p] in (",", ";", "or", "nor", ":", "(", "which", "that"):
            return False
    return False


def _has_own(words: list[str], at: int) -> bool:
    return at < len(words) and words[at] in word_lists()["starters"] and words[at] != "it"


def forward_stops(words: list[str], cues: list[Cue], boundaries: list[int]) -> list[int]:
    starters = word_lists()["starters"]
    found = list(boundaries)
    found += [c.start for c in cues if any(role in ("both", "forward") for role, _ in c.roles)]
    for p in range(len(words) - 1):
        if words[p] in (",", "and") and (words[p + 1] in starters or words[p + 1][:1].isdigit()):
            rest = words[p + 1 : next((b for b in boundaries if b > p), len(words))]
            if "or" not in rest and "nor" not in rest:
                found.append(p)
    return sorted(found)


def after_verb(words: list[str], low: int, end: int) -> int:
    """Behind the clause of an earlier verb, where "and" or a comma follows that verb."""
    lists = word_lists()
    for v in range(end - 1, low - 1, -1):
        if words[v] in lists["verbs"] and not (v and words[v - 1] in lists["relative"]):
            for p in range(v + 1, end):
                if words[p] in (",", "and", "with", "which"):
                    return p + 1
            return low
    return low


def over_list(
    words: list[str], low: int, end: int, lists: dict[str, frozenset[str]], is_denial: bool
) -> int:
    """From the last comma on; further back where a list reads on, or where nothing is between.

    Only denials are said of bare lists ("effusion, pneumothorax was not seen").
    """
    commas = [p for p in range(low, end) if words[p] == ","]
    if not commas:
        return low
    begin = commas.pop() + 1
    segment = words[begin:end]
    if segment and not {"or", "and", "nor"} & set(segment) and not lists["fillers"] >= set(segment):
        if not is_denial:
            return begin
        edge = begin
        while commas or low < edge - 1:
            start = commas.pop() + 1 if commas else low
            item = words[start : edge - 1]
            if not _is_list_item(item, lists):
                return edge
            edge = start
            if edge == low:
                break
        return edge
    return low


def _is_list_item(item: list[str], lists: dict[str, frozenset[str]]) -> bool:
    return (
        0 < len(item) <= _LONGEST_LIST_ITEM
        and not any(w[:1].isdigit() or w in PREPOSITIONS or w in lists["verbs"] for w in item)
        and item[0] not in lists["starters"]
    )
