"""What a sentence implies of an organ without the words of a question: by its size, by its absence.

Which organs and what follows is data: ``nodes``, ``large`` and ``removed`` in
``configs/reading/terms.yaml``.
"""

import re
from collections.abc import Iterator

from retrieval.questions import terms
from retrieval.rules.evidence import NORMAL, SURE, Evidence
from retrieval.rules.judge import QUIET, may_read
from retrieval.rules.measure import Measurement
from retrieval.rules.scan import Scan, roving
from retrieval.rules.tables import Tables

_NODAL = frozenset({"mediastinum", "breast", "peritoneum", "vessel", "aorta", "lymph_node"})
_SHORT_AXIS = re.compile(r"\bshort(?:est)?[ -](?:axis|axes|diameter)", re.I)
_OWN = re.compile(
    r"(?:\s+(?:size|length|diameter|calib(?:er|re)))?\s*[:,(|-]?\s*(?:(?:is|are|measures?|measuring|"
    r"measured|has|of|at|with)\s+)?(?:\w+ing\s+)?(?:(?:a|the)\s+)?(?:(?:size|length|diameter)\s+)?"
    r"(?:(?:of|up to|about|approximately|ca\.?)\s+)*",
    re.I,
)
_ENDS = re.compile(r"\s*(?:[.,;()]|$|(?:in|long|and|with|cranio\w*|diameter|wide)\b)", re.I)
_GONE_WORDS = frozenset(
    {"absent", "missing", "removed", "resected", "excised", "operated", "taken"}
)
_LEFT_OUT = frozenset({"congenital", "congenitally", "agenesis"})
_GONE = re.compile(
    r"(?:\s+glands?)?(?:\W+(?:the\s+)?(?:\w+\s+){0,4}(?:lobes?|segments?))?\s*[:,|(-]?\s*"
    r"(?:(?:is|are|was|were|has|have|had)\s+)?(?:been\s+)?"
    r"(?:not\s+(?:seen|observed|visuali[sz]ed|identified|present)\s*[,(;-]*\s*)?"
    r"(?:(?:surgically|previously|already|both|partially|partly|completely)\s+)*"
    r"(?P<how>absent|missing|removed|taken out|resected|excised|operated)\b",
    re.I,
)
_PART = frozenset({"resected", "excised", "operated"})


def implied(scan: Scan, number: int, tables: Tables) -> Iterator[tuple[int, Evidence]]:
    """Evidence by the size of nodes and organs, and of operations by an organ that is gone."""
    if not scan.groups and not scan.is_topic:
        return
    if not _GONE_WORDS.isdisjoint(scan.tokens.words):
        yield from _removed(scan, number, tables)
    text = scan.sentence.text
    if scan.sentence.section in QUIET or not ("m" in text and any(c.isdigit() for c in text)):
        return
    named = frozenset(organ for group in scan.groups for organ in group.organs)
    is_nodes, is_organ = not named.isdisjoint(roving()), not named.isdisjoint(terms()["large"])
    if not (is_nodes or is_organ):
        return
    sizes = [s for s in scan.sizes() if not s.is_prior and not s.is_distance]
    if sizes and is_nodes and not scan.normals:
        yield from _nodes(scan, number, tables, sizes, named)
    if sizes and is_organ:
        yield from _large(scan, number, tables, sizes)


def _nodes(
    scan: Scan, number: int, tables: Tables, sizes: list[Measurement], named: frozenset[str]
) -> Iterator[tuple[int, Evidence]]:
    """Nodes that are large by their size alone; where no more is said of them.

    A centimetre is large for a short axis, and doubtful where no axis is named.
    """
    nodes = terms()["nodes"]
    largest = max(size.largest_mm for size in sizes)
    if largest < nodes["doubtful_mm"] or not named - roving() <= _NODAL:
        return
    is_large = largest >= nodes["enlarged_mm"] or (
        largest > nodes["doubtful_mm"] and bool(_SHORT_AXIS.search(scan.sentence.text))
    )
    rule = f"size: nodes of {largest:g} mm"
    value = "yes" if is_large else "uncertain"
    for q in _node_questions(named if named - roving() else named | scan.subject, tables):
        yield q, Evidence(value, "sign", rule, NORMAL, number, scan.sentence.section)


def _node_questions(place: frozenset[str], tables: Tables) -> list[int]:
    """The question on nodes of a place, else all on nodes that do not leave its place out."""
    nodes = terms()["nodes"]
    placed = [name for name, organs in nodes["places"].items() if place.intersection(organs)]
    known = [tables.by_id[name] for name in placed or [nodes["else"]] if name in tables.by_id]
    return known or [
        q
        for q, question in enumerate(tables.questions)
        if question.kind == "presence"
        and (question.organ in roving() or "lymphadenopathy" in question.phrases)
        and not (placed and any("mediastinal" in word for word in question.excludes))
    ]


def _large(
    scan: Scan, number: int, tables: Tables, sizes: list[Measurement]
) -> Iterator[tuple[int, Evidence]]:
    """Organs that are large by their own size ("the spleen measures 17 cm")."""
    text = scan.sentence.text
    for group in scan.groups:
        for organ in group.organs & terms()["large"].keys():
            name, least = terms()["large"][organ]
            q = tables.by_id.get(name)
            for size in sizes if q is not None else ():
                is_own = size.start >= group.end and _OWN.fullmatch(text, group.end, size.start)
                if is_own and size.largest_mm >= least and _ENDS.match(text, size.end):
                    rule = f"size: {organ.replace('_', ' ')} of {size.largest_mm:g} mm"
                    section = scan.sentence.section
                    yield q, Evidence("yes", "sign", rule, NORMAL, number, section)  # type: ignore[misc]


def _removed(scan: Scan, number: int, tables: Tables) -> Iterator[tuple[int, Evidence]]:
    """Operations by what is gone ("gall bladder and spleen are missing", "Uterus: absent")."""
    text = scan.sentence.text
    if not _LEFT_OUT.isdisjoint(text.lower().split()):
        return
    whole, part = terms()["removed"]["whole"], terms()["removed"]["part"]
    for group in scan.groups:
        match = _GONE.match(text, group.end)
        is_finding = any(
            h.start < group.end and group.start < h.end and not tables.questions[h.question].surgery
            for h in scan.hits
        )
        if match is None or is_finding:  # "hydronephrosis: absent"
            continue
        how = match["how"].lower()
        for organ in sorted(group.organs):
            q = tables.by_id.get(
                whole.get(organ) or (part.get(organ) if how in _PART else "") or ""
            )
            if q is not None and may_read(tables.questions[q], scan.sentence.section):
                words = how
                yield (
                    q,
                    Evidence(
                        "yes", "said", f"gone: {how}", SURE, number, scan.sentence.section, words
                    ),
                )
