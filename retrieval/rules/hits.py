"""Where the words of the questions stand in a sentence."""

from retrieval.rules.anatomy import clause_starts
from retrieval.rules.scan import Hit, Scan
from retrieval.rules.tables import Tables


def hits_in(scan: Scan, tables: Tables) -> list[Hit]:
    """The words of each question, without those that a longer phrase of its own holds."""
    by_question: dict[int, list[Hit]] = {}
    starts, ends = scan.tokens.starts, scan.tokens.ends
    for i, j, ending in scan.found:
        if not (ending.uses or ending.terms):
            continue
        parts, start, end = ((i, j),), starts[i], ends[j - 1]
        for q, role, _ in ending.uses:
            by_question.setdefault(q, []).append(Hit(q, role, i, j, parts, start, end))
        if not ending.terms:
            continue
        named = scan.organs(i, j)
        organs = named or scan.organs_unnamed(i)
        for organ, uses in ending.terms:
            if organ in organs:
                for q, role, _ in uses:
                    hit = Hit(q, role, i, j, parts, start, end, bool(named))
                    by_question.setdefault(q, []).append(hit)
    _put_loose(by_question, scan, tables)
    return [
        hit
        for hits in by_question.values()
        for hit in (hits if len(hits) == 1 else _longest(hits))
        if hit.role != "exclude"
    ]


def _put_loose(by_question: dict[int, list[Hit]], scan: Scan, tables: Tables) -> None:
    """Phrases in parts, unless a clause begins between their parts."""
    loose = tables.loose.find(scan.tokens.words)
    if not loose:
        return
    starts, ends = scan.tokens.starts, scan.tokens.ends
    cuts = clause_starts(scan.sentence.text, scan.groups)
    for phrase in loose:
        head = phrase.places[0]
        if cuts:
            low, high = starts[min(phrase.places)], starts[max(phrase.places)]
            if any(low < cut <= high for cut in cuts):
                continue
        parts = tuple([(p, p + 1) for p in phrase.places])
        start, end = starts[head], ends[head]
        for q, role, _ in phrase.payloads:
            if role == "exclude" and _is_shared(tables.questions[q].organ, scan, phrase.places):
                continue
            hit = Hit(q, role, head, head + 1, parts, start, end)
            by_question.setdefault(q, []).append(hit)


def _is_shared(organ: str, scan: Scan, places: tuple[int, ...]) -> bool:
    """Whether a look-alike is told of the question's own organ as well.

    "Calcified plaques in the aorta and coronary arteries" is more than the look-alike "coronary
    artery plaque".
    """
    head = places[0]
    return bool(organ) and head < places[-1] and organ in scan.organs(head, head + 1)


def _longest(hits: list[Hit]) -> list[Hit]:
    """Per question the phrase with the most words; what does not count hides what it holds.

    Of "pericardial or pleural effusion" both are found: a phrase of its own word before the same
    head is not hidden by the other.
    """
    kept: list[Hit] = []
    order = sorted(hits, key=lambda h: (-_width(h), len(h.parts) > 1, h.role != "exclude", h.first))
    for hit in order:
        if not any(hit.first < o.last and o.first < hit.last and _hides(o, hit) for o in kept):
            kept.append(hit)
    kept.sort(key=lambda h: h.first)
    return kept


def _hides(other: Hit, hit: Hit) -> bool:
    if other.role != "exclude" or _width(hit) == 1:
        return True
    if len(hit.parts) > 1:  # has words outside of the other
        low = min(part[0] for part in other.parts)
        high = max(part[1] for part in other.parts)
        return all(low <= a and b <= high for a, b in hit.parts)
    is_list = len(other.parts) > 1 and other.parts[1] < other.parts[0]
    return not is_list


def _width(hit: Hit) -> int:
    return max(len(hit.parts), hit.last - hit.first)
