"""What the scrubber finds, what it misses, and what it takes too much of.

Run: ``python -m benchmarks.scrubbing [--data ../shared/data] [--set FILE.jsonl ...]
[--presidio PYTHON]``.
Sets: our made-up texts (see `benchmarks.phi_text` for its three parts), the
held-out half (odd numbers) of Presidio's synthetic sentences, the held-out note of
nedap/deidentify, and any JSON lines of ``{"text", "spans": [{"start", "end", "kind"}], "known":
{"names": [...]}}``.

Per kind: `full`, the share of spans of which every letter and digit is gone, whatever the kind of
the placeholder; `partial`, of which at least one is; for all: `precision`, the share of replaced
places that touch a marked one, `words kept`, the share of words outside of marked places that
stay, `numbers kept`, the same of runs of digits (those replaced in one piece with a marked place,
such as the hour after a date, count as kept). Each set is measured without knowledge and, where it
tells what is known, with it; "known ones only" counts the spans whose value is known.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.phi_text import texts
from voxcurate.identifiers import Hit, Identifiers
from voxcurate.scrub import NOTHING_KNOWN, Scrubber, parse_date

PRESIDIO = "text/presidio_synth/generated_small.json"
DUTCH = "text/deidentify_nl/dummy/test"
_KINDS = {
    "PERSON": "NAME", "PHONE_NUMBER": "PHONE", "EMAIL_ADDRESS": "EMAIL", "CREDIT_CARD": "ID",
    "US_SSN": "ID", "US_DRIVER_LICENSE": "ID", "IBAN_CODE": "ID", "DATE_TIME": "DATE",
    "IP_ADDRESS": "URL", "DOMAIN_NAME": "URL", "STREET_ADDRESS": "ADDRESS", "ZIP_CODE":
    "ADDRESS", "Name": "NAME", "Email": "EMAIL", "Date": "DATE", "Phone_fax": "PHONE",
    "Address": "ADDRESS", "Hospital": "INSTITUTION", "Care_Institute": "INSTITUTION", "URL_IP":
    "URL", "Age": "AGE", "ID": "ID", "Initials": "NAME",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
Finder = Callable[[str, Identifiers], Sequence[Hit]]


@dataclass(frozen=True)
class Marked:
    """A text with its marked spans and what is known of its person."""

    text: str
    spans: tuple[tuple[str, int, int], ...]
    known: Identifiers = NOTHING_KNOWN


@dataclass
class Score:
    """Counts of one finder on one set."""

    spans: Counter[str] = field(default_factory=Counter)
    full: Counter[str] = field(default_factory=Counter)
    partial: Counter[str] = field(default_factory=Counter)
    replaced: int = 0
    right: int = 0
    words: int = 0
    lost: int = 0
    numbers: int = 0
    numbers_lost: int = 0
    n: int = 0
    seconds: float = 0.0

    def add(self, marked: Marked, hits: Sequence[Hit], wanted: Sequence[int]) -> None:
        """Count one text; `wanted` are the numbers of the spans that count."""
        text = marked.text
        gone = {i for hit in hits for i in range(hit.start, hit.end)}
        truth = {i for _, start, end in marked.spans for i in range(start, end)}
        for number in wanted:
            kind, start, end = marked.spans[number]
            letters = [i for i in range(start, end) if text[i].isalnum()]
            self.spans[kind] += 1
            self.full[kind] += all(i in gone for i in letters)
            self.partial[kind] += any(i in gone for i in letters)
        self.replaced += len(hits)
        self.right += sum(any(i in truth for i in range(h.start, h.end)) for h in hits)
        outside = [w for w in _WORD.finditer(text) if truth.isdisjoint(range(*w.span()))]
        self.words += len(outside)
        self.lost += sum(not gone.isdisjoint(range(*w.span())) for w in outside)
        outside = [n for n in _NUMBER.finditer(text) if truth.isdisjoint(range(*n.span()))]
        self.numbers += len(outside)
        wrong = {
            i
            for h in hits
            if truth.isdisjoint(range(h.start, h.end))
            for i in range(h.start, h.end)
        }
        self.numbers_lost += sum(not wrong.isdisjoint(range(*n.span())) for n in outside)
        self.n += 1

    def table(self) -> dict[str, Any]:
        """Plain figures."""
        kinds = {
            kind: {
                "spans": n,
                "full": round(self.full[kind] / n, 4),
                "partial": round(self.partial[kind] / n, 4),
            }
            for kind, n in self.spans.most_common()
        }
        return {
            "texts": self.n,
            **kinds,
            "precision": round(self.right / max(self.replaced, 1), 4),
            "words kept": round(1 - self.lost / max(self.words, 1), 5),
            "numbers kept": round(1 - self.numbers_lost / max(self.numbers, 1), 5),
            "texts/s": round(self.n / max(self.seconds, 1e-9)),
        }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder of public data")
    parser.add_argument("--set", type=Path, action="append", default=[], help="marked texts")
    parser.add_argument("--texts", type=int, default=400, help="made-up texts of each part")
    parser.add_argument("--only-sets", action="store_true", help="nothing but --set")
    parser.add_argument(
        "--presidio", type=Path, help="the python of an environment that has presidio-analyzer"
    )
    asked = parser.parse_args()
    sets: dict[str, list[Marked]] = {}
    if not asked.only_sets:
        sets |= own_sets(asked.texts)
        sets |= public_sets(asked.data) if asked.data else {}
    for path in asked.set:
        sets[path.stem] = list(read_marked(path))
    result = {name: compare(marked, asked.presidio) for name, marked in sets.items()}
    sys.stdout.write(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return 0


def compare(marked: Sequence[Marked], presidio: Path | None) -> dict[str, Any]:
    """The scrubber and Presidio on one set; without Presidio the reason."""
    scrub = Scrubber().find
    scrub("The lists are read once.", NOTHING_KNOWN)
    tables: dict[str, Any] = {"voxcurate": measure(marked, scrub, with_known=False).table()}
    if any(one.known != NOTHING_KNOWN for one in marked):
        told = measure(marked, scrub, with_known=True).table()
        known = measure(marked, scrub, with_known=True, only_known=True).table()
        tables["voxcurate, with what is known"] = told
        tables["known ones only"] = {k: v for k, v in known.items() if isinstance(v, dict)}
    tables["presidio"] = _presidio(presidio, marked)
    return tables


def _presidio(python: Path | None, marked: Sequence[Marked]) -> dict[str, Any]:
    if python is None:
        return {"skipped": "no --presidio PYTHON of an environment with presidio-analyzer"}
    job = json.dumps({"texts": [one.text for one in marked]})
    command = [str(python), str(Path(__file__).parent / "peers" / "presidio_peer.py")]
    done = subprocess.run(command, input=job, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"skipped": f"it failed with exit status {done.returncode}"}
    found = json.loads(done.stdout)
    score = Score(seconds=found["seconds"])
    for one, hits in zip(marked, found["hits"], strict=True):
        score.add(one, [Hit(*hit) for hit in hits], range(len(one.spans)))
    return score.table()


def measure(
    marked: Iterable[Marked], finder: Finder, *, with_known: bool, only_known: bool = False
) -> Score:
    """Counts of a finder on a set; `only_known`: of the spans whose value is known."""
    score = Score()
    for one in marked:
        known = one.known if with_known else NOTHING_KNOWN
        start = time.perf_counter()
        hits = finder(one.text, known)
        score.seconds += time.perf_counter() - start
        every = range(len(one.spans))
        wanted = [n for n in every if _is_known(one, n)] if only_known else list(every)
        score.add(one, hits, wanted)
    return score


def _is_known(one: Marked, number: int) -> bool:
    """Whether the value of a span is among what is known, letter by letter, or names its parts."""
    kind, start, end = one.spans[number]
    value = _plain(one.text[start:end])
    if kind == "DATE":
        return parse_date(one.text[start:end]) in one.known.dates
    people = (*one.known.names, *one.known.physicians)
    if kind == "NAME":
        parts = {_plain(part) for name in people for part in re.split(r"[\s,^]+", name) if part}
        words = [w for w in re.split(r"[\s,.^]+", one.text[start:end]) if len(w) > 1]
        return bool(words) and all(_plain(w) in parts for w in words)  # initials are nobody's own
    told = (*one.known.ids, *one.known.accessions, *one.known.institutions, *one.known.others)
    return value in {_plain(name) for name in told}


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower())).lstrip("0")


def own_sets(n: int) -> dict[str, list[Marked]]:
    """Our made-up texts, development and held-out templates."""
    return {
        name: [
            Marked(t.text, tuple((s["kind"], s["start"], s["end"]) for s in t.spans))
            for t in texts(part, n)
        ]
        for part, name in enumerate(
            ("made up, development", "made up, seen later", "made up, unseen")
        )
    }


def public_sets(data: Path) -> dict[str, list[Marked]]:
    """Presidio's sentences with odd numbers and the Dutch note that was held out, where present."""
    sets: dict[str, list[Marked]] = {}
    if (data / PRESIDIO).exists():
        entries = json.loads((data / PRESIDIO).read_text(encoding="utf-8"))
        sets["presidio, held-out half"] = [_of_presidio(e) for e in islice(entries, 1, None, 2)]
    notes = sorted((data / DUTCH).glob("*.txt"))
    if notes:
        sets["deidentify_nl, held-out note"] = [_of_brat(note) for note in notes]
    return sets


def _of_presidio(entry: dict[str, Any]) -> Marked:
    kinds = {"ORGANIZATION": "INSTITUTION", "LOCATION": "PLACE", "GPE": "PLACE"} | _KINDS
    spans = tuple(
        (kinds.get(s["entity_type"], "OTHER"), s["start_position"], s["end_position"])
        for s in entry["spans"]
    )
    names = [s["entity_value"] for s in entry["spans"] if s["entity_type"] == "PERSON"]
    return Marked(entry["full_text"], spans, Identifiers(names=tuple(names)))


def _of_brat(path: Path) -> Marked:
    spans = []
    for line in path.with_suffix(".ann").read_text(encoding="utf-8").splitlines():
        _, kind, start, end = line.split(maxsplit=4)[:4]
        spans.append((_KINDS.get(kind, "OTHER"), int(start), int(end)))
    return Marked(path.read_text(encoding="utf-8"), tuple(spans))


def read_marked(path: Path) -> Iterator[Marked]:
    """Texts of JSON lines; fields of `known` that are none of `Identifiers` count as others."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        row = json.loads(line)
        spans = tuple((s["kind"], s["start"], s["end"]) for s in row["spans"])
        yield Marked(row["text"], spans, _known(row.get("known") or {}))


def _known(told: dict[str, Any]) -> Identifiers:
    fields: dict[str, list[Any]] = {}
    for name, values in told.items():
        kept = values if isinstance(values, list) else [values]
        into = name if name in Identifiers.model_fields else "others"
        if into == "dates":
            kept = [
                day
                for v in kept
                for first in (False, True)
                if (day := parse_date(str(v), day_first=first))
            ]
        fields.setdefault(into, []).extend(kept)
    return Identifiers(**{name: tuple(dict.fromkeys(values)) for name, values in fields.items()})


if __name__ == "__main__":
    raise SystemExit(main())
