"""negspacy and medspaCy ConText, run in ``.venv-peers`` for `benchmarks.retrieval`.

In: JSON ``{"peer": "medspacy" or "negspacy", "reports": [{"text": ..., "spans": [[start, end],
...]}, ...]}``; spans do not overlap. Out: JSON ``{"seconds": ..., "flags": [[...], ...]}``, each
``yes``, ``no``, ``uncertain`` or ``aside`` (history, family, hypothetical). Both peers run with
their own sentence splitting and their shipped clinical rules.
"""

import json
import sys
import time
from typing import Any


def _medspacy() -> Any:
    from loguru import logger

    logger.remove()  # its debug log quotes the report's words
    import medspacy

    return medspacy.load(enable=["medspacy_pyrush", "medspacy_context"])


def _negspacy() -> Any:
    import spacy
    from negspacy.negation import Negex  # noqa: F401  registers the component
    from negspacy.termsets import termset

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    terms = termset("en_clinical").get_patterns()
    nlp.add_pipe("negex", config={"neg_termset": terms}, last=True)
    return nlp


def _flag_medspacy(entity: Any) -> str:
    if entity._.is_historical or entity._.is_hypothetical or entity._.is_family:
        return "aside"
    if entity._.is_negated:
        return "no"
    return "uncertain" if entity._.is_uncertain else "yes"


def _flag_negspacy(entity: Any) -> str:
    return "no" if entity._.negex else "yes"


def main() -> int:
    """Read, flag, write."""
    job = json.load(sys.stdin)
    make, flag = {
        "medspacy": (_medspacy, _flag_medspacy),
        "negspacy": (_negspacy, _flag_negspacy),
    }[job["peer"]]
    nlp = make()
    components = [part for _, part in nlp.pipeline]
    flags = []
    start = time.perf_counter()
    for report in job["reports"]:
        doc = nlp.make_doc(report["text"])
        found = [
            doc.char_span(a, b, label="FINDING", alignment_mode="expand")
            for a, b in report["spans"]
        ]
        kept = _apart(found)
        doc.ents = kept
        for part in components:
            doc = part(doc)
        by_start = {(e.start, e.end): flag(e) for e in doc.ents}
        flags.append(["" if s is None else by_start.get((s.start, s.end), "") for s in found])
    seconds = time.perf_counter() - start
    json.dump({"seconds": seconds, "flags": flags}, sys.stdout)
    return 0


def _apart(spans: list[Any]) -> list[Any]:
    """Without those that share a token with an earlier one."""
    kept: list[Any] = []
    for span in spans:
        if span is not None and (not kept or span.start >= kept[-1].end):
            kept.append(span)
    return kept


if __name__ == "__main__":
    sys.exit(main())
