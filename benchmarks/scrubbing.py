"""What the scrubber finds in Presidio's synthetic sentences, per type of identifier.

Run: ``python -m benchmarks.scrubbing --data ../shared/data``. ``patterns`` is without any knowledge
of the person; ``known names`` is given the names, as a header gives them. `full` counts spans of
which every letter and digit was replaced. The sentences are no clinical text, and two phrases of
the patterns ("maiden name is", "follow up with") were added after seeing them.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from voxcurate.identifiers import Hit, Identifiers
from voxcurate.scrub import Scrubber

FILE = "text/presidio_synth/generated_small.json"


def main() -> int:
    """Print recall per type as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    entries = json.loads((parser.parse_args().data / FILE).read_text(encoding="utf-8"))
    result = {
        "patterns": measure(entries, with_names=False),
        "known names": measure(entries, with_names=True),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def measure(entries: list[dict[str, Any]], *, with_names: bool) -> dict[str, dict[str, float]]:
    """Per type: spans, spans fully replaced, recall; and the share of other characters replaced."""
    spans: Counter[str] = Counter()
    full: Counter[str] = Counter()
    lost = kept = 0
    for entry in entries:
        text = entry["full_text"]
        names = [s["entity_value"] for s in entry["spans"] if s["entity_type"] == "PERSON"]
        known = Identifiers(names=tuple(names) if with_names else ())
        gone = _covered(Scrubber().scrub(text, known).replacements)
        truth: set[int] = set()
        for span in entry["spans"]:
            where = range(span["start_position"], span["end_position"])
            truth.update(where)
            spans[span["entity_type"]] += 1
            full[span["entity_type"]] += all(i in gone or not text[i].isalnum() for i in where)
        lost += len(gone - truth)
        kept += len(text) - len(truth)
    found = {
        kind: {"spans": n, "full": full[kind], "recall": round(full[kind] / n, 3)}
        for kind, n in spans.most_common()
    }
    return {**found, "other text replaced": {"share": round(lost / kept, 4)}}


def _covered(hits: tuple[Hit, ...]) -> set[int]:
    return {i for hit in hits for i in range(hit.start, hit.end)}


if __name__ == "__main__":
    raise SystemExit(main())
