"""Where the words of the questions stand in a sentence."""

from collections import defaultdict
from operator import itemgetter

from retrieval.rules.anatomy import clause_starts
from retrieval.rules.scan import Hit, Scan, Span
from retrieval.rules.tables import Tables

_Place = tuple[int, int, tuple[Span, ...], int, int, bool]  # a hit's, but for question and role
# What comes first counts: the widest, in one piece, what does not count; then place and role.
_Candidate = tuple[tuple[int, bool, bool, int], str, _Place]
_RANK = itemgetter(0)


def hits_in(scan: Scan, tables: Tables) -> list[Hit]:
    """The words of each question, without those that a longer phrase of its own holds."""
    by_question: defaultdict[int, list[_Candidate]] = defaultdict(list)
    starts, ends = scan.tokens.starts, scan.tokens.ends
    for i, j, ending in scan.found:
        if ending.uses:
            place = (i, j, ((i, j),), starts[i], ends[j - 1], True)
            for role, questions in ending.uses:
                candidate = ((i - j, False, role != "exclude", i), role, place)
                for q in questions:
                    by_question[q].append(candidate)
        if ending.terms:
            named = scan.organs(i, j)
            organs = named or scan.organs_unnamed(i)
            place = (i, j, ((i, j),), starts[i], ends[j - 1], bool(named))
            candidate = ((i - j, False, True, i), "term", place)
            for organ, questions in ending.terms:
                if organ in organs:
                    for q in questions:
                        by_question[q].append(candidate)
    _put_loose(by_question, scan, tables)
    return [
        Hit(q, role, *place)
        for q, candidates in by_question.items()
        for _, role, place in (candidates if len(candidates) == 1 else _longest(candidates))
        if role != "exclude"
    ]


def _put_loose(by_question: defaultdict[int, list[_Candidate]], scan: Scan, tables: Tables) -> None:
    """Phrases in parts, unless a clause begins between their parts."""
    loose = tables.loose.find(scan.tokens.words)
    if not loose:
        return
    starts, ends = scan.tokens.starts, scan.tokens.ends
    cuts = clause_starts(scan.sentence.text, scan.groups)
    for places, uses in loose:
        head = places[0]
        if cuts:
            low, high = starts[min(places)], starts[max(places)]
            if any(low < cut <= high for cut in cuts):
                continue
        parts = tuple([(p, p + 1) for p in places])
        place = (head, head + 1, parts, starts[head], ends[head], True)
        for q, role, _ in uses:
            if role == "exclude" and _is_shared(tables.questions[q].organ, scan, places):
                continue
            rank = (-len(parts), True, role != "exclude", head)
            by_question[q].append((rank, role, place))


def _is_shared(organ: str, scan: Scan, places: tuple[int, ...]) -> bool:
    """Whether a look-alike is told of the question's own organ as well.

    "Calcified plaques in the aorta and coronary arteries" is more than the look-alike "coronary
    artery plaque".
    """
    head = places[0]
    return bool(organ) and head < places[-1] and organ in scan.organs(head, head + 1)


def _longest(candidates: list[_Candidate]) -> list[_Candidate]:
    """Per question the phrase with the most words; what does not count hides what it holds.

    Of "pericardial or pleural effusion" both are found: a phrase of its own word before the same
    head is not hidden by the other.
    """
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=_RANK):
        first, last = candidate[2][:2]
        for other in kept:
            if first < other[2][1] and other[2][0] < last and _hides(other, candidate):
                break
        else:
            kept.append(candidate)
    if len(kept) > 1:
        kept.sort(key=lambda c: c[2][0])
    return kept


def _hides(other: _Candidate, candidate: _Candidate) -> bool:
    """Whether of two that overlap the one that comes first hides the other."""
    if other[1] != "exclude" or candidate[0][0] == -1:
        return True
    others, parts = other[2][2], candidate[2][2]
    if len(parts) > 1:  # has words outside of the other
        low = min(part[0] for part in others)
        high = max(part[1] for part in others)
        return all(low <= a and b <= high for a, b in parts)
    is_list = len(others) > 1 and others[1] < others[0]
    return not is_list
