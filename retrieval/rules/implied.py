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
_LONG_AXIS = re.compile(r"\b(?:long(?:est)?|craniocaudal|cc)[ -](?:axis|axes|diameter)", re.I)
_PLACED = frozenset({"mediastinal", "mediastinum", "hilar", "hilum", "axillary", "axilla"})
_LISTED = re.compile(
    r"(?:,|\band\b|\bas well as\b|/|\+)\s*(?!no\b)(?:(?:in|the|also|enlarged|bulky)\s+)*"
    r"(?:retroperiton\w+|mesenter\w+|abdom\w+|intra-?abdominal|pelvi\w+|inguinal|\w+ iliac|iliac|"
    r"para-?aortic|aorto-?caval|porta\w*|peri-?portal|coeliac|celiac)\s*"
    r"(?:lymph|nodes?\b|adenopath|[.,;/&+(]|and\b|or\b|$)",
    re.I,
)
_OWN = re.compile(
    r"(?:\s+(?:size|length|diameter|calib(?:er|re)))?\s*[:,(|-]?\s*(?:was\s+)?(?:(?:is|are|measures?|"
    r"measuring|measured|has|of|at|with)\s+)?(?:as\s+)?(?:\w+ing\s+)?(?:(?:a|the)\s+)?"
    r"(?:(?:size|length|diameter)\s+)?"
    r"(?:(?:of|up to|about|approximately|ca\.?)\s+)*",
    re.I,
)
_ENDS = re.compile(
    r"\s*(?:[.,;()]|$|(?:in|long|and|with|cranio\w*|diameter|wide|post|after|following|at|status)\b)",
    re.I,
)
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
    if not _PLACED.isdisjoint(scan.tokens.words) and _LISTED.search(text):
        yield from _listed_nodes(scan, number, tables)
    if scan.sentence.section in QUIET or not ("m" in text and any(map(str.isdigit, text))):
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
    """Nodes that are large by their size alone, unless the sentence itself calls them normal.

    More than a centimetre is large, in the smaller diameter where two are told; a centimetre is
    doubtful, and so is what only the larger diameter exceeds.
    """
    nodes = terms()["nodes"]
    largest = max(size.largest_mm for size in sizes)
    if largest < nodes["doubtful_mm"] or not named - roving() <= _NODAL:
        return
    smaller = max(size.largest_mm if size.is_range else min(size.dims_mm) for size in sizes)
    is_long = bool(_LONG_AXIS.search(scan.sentence.text))
    is_large = largest >= nodes["enlarged_mm"] or (smaller > nodes["doubtful_mm"] and not is_long)
    rule = f"size: nodes of {largest:g} mm"
    value = "yes" if is_large else "uncertain"
    for q in _node_questions(named if named - roving() else named | scan.subject, tables):
        kind = "said" if is_large and not _is_denied(q, scan) else "sign"
        yield q, Evidence(value, kind, rule, NORMAL, number, scan.sentence.section)


def _listed_nodes(scan: Scan, number: int, tables: Tables) -> Iterator[tuple[int, Evidence]]:
    """Nodes elsewhere, listed behind those of a place ("enlarged mediastinal and pelvic nodes")."""
    nodes = terms()["nodes"]
    q = tables.by_id.get(nodes["else"])
    if q is None or scan.sentence.section in QUIET:
        return
    placed = [tables.by_id[name] for name in nodes["places"] if name in tables.by_id]
    for hit in scan.hits:
        if hit.question not in placed or hit.role not in ("term", "phrase"):
            continue
        context = scan.context(hit)
        is_set_aside = context.historical or context.hypothetical or context.family
        if context.negated or context.uncertain or context.unsaid or is_set_aside:
            continue
        if _LISTED.search(scan.sentence.text, hit.start):
            rule = "affirmed: listed with other nodes"
            yield q, Evidence("yes", "said", rule, NORMAL, number, scan.sentence.section)
            return


def _is_denied(q: int, scan: Scan) -> bool:
    return any(h.question == q and (h.role == "no" or scan.context(h).negated) for h in scan.hits)


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
