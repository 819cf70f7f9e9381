"""The work on a piece of reports: texts in, scrubbed texts out. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from voxcurate.identifiers import Identifiers, find_known
from voxcurate.scrub import Scrubber, ScrubConfig, leak_scan, merge_hits


def scrub_reports(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The worker: texts in, scrubbed texts with the number of replacements by kind out.

    What is known is looked for once more inside words (``DOE_CT1``), where prose would not have it.
    A description of the exam is kept only if no identifier is in it.

    Args:
        payload: ``config`` (a `ScrubConfig`), ``key`` (hex; only to shift dates), ``reports``.
    """
    scrubber = Scrubber(
        ScrubConfig.model_validate(payload["config"]), key=bytes.fromhex(payload["key"])
    )
    done = []
    for report in payload["reports"]:
        known = Identifiers.model_validate(report["known"])
        text, kinds = scrub_text(scrubber, report["text"], known, report["patient"])
        exam = report.get("exam", "")
        exam = "" if exam and leak_scan(exam, known) else exam[:80]
        done.append({"text": text, "exam": exam, "replaced": dict(sorted(kinds.items()))})
    return done


def scrub_text(
    scrubber: Scrubber, text: str, known: Identifiers, patient: str
) -> tuple[str, Counter[str]]:
    """A scrubbed text, and how often each kind of identifier was replaced."""
    first = scrubber.scrub(text, known, patient=patient)
    hits = [h for h in merge_hits(find_known(first.text, known, embedded=True)) if h.sure]
    text = first.text
    for hit in reversed(hits):
        text = f"{text[: hit.start]}[{hit.kind}]{text[hit.end :]}"
    return text, Counter(hit.kind for hit in (*first.replacements, *hits))
