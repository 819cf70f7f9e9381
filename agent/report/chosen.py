"""What the retrieval stage left in the round's folder, read in part: both files may be large."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from retrieval.llm.crosscheck import FILE as DISAGREEMENTS
from retrieval.search.query import CohortQuery
from retrieval.search.wording import query_words
from voxcurate.config import build
from voxcurate.errors import CurationError

COHORT = "cohort.json"
HEAD = 1 << 20  # characters of the cohort's file: its query and hundreds of cases
_CASES = '"cases": ['


@dataclass(frozen=True)
class Chosen:
    """The query's parts in words, and proofs: case, question, answer, sentence."""

    query_said: tuple[str, ...]
    proofs: tuple[tuple[str, str, str, str], ...] = ()


def read_chosen(folder: Path, most: int) -> Chosen | None:
    """The query and the first proofs that are sentences; None where the round has none."""
    path = folder / COHORT
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as stream:
        head = stream.read(HEAD)
    start = head.find(_CASES)
    at = head.find("{", 1)
    if start < 0 or at < 0:
        return None
    query = json.JSONDecoder().raw_decode(head, at)[0]
    cases = _objects(head, start + len(_CASES))
    proofs = (proof for case in cases for proof in _proofs(case))
    return Chosen(_said(query), tuple(islice(proofs, most)))


def _proofs(case: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """The proofs of a case; one sentence that gives the same answer to several stands once."""
    asked: dict[tuple[str, str], list[str]] = {}
    for proof in case["proofs"]:
        if proof["sentence"]:
            key = (str(proof["answer"]), str(proof["sentence"]))
            asked.setdefault(key, []).append(str(proof["question"]))
    for (answer, sentence), questions in asked.items():
        yield str(case["case_id"]), ", ".join(dict.fromkeys(questions)), answer, sentence


def _said(query: dict[str, Any]) -> tuple[str, ...]:
    try:
        return tuple(query_words(build(CohortQuery, query)))
    except CurationError:
        return ("the query was written by another version; cohort.json holds it",)


def _objects(text: str, at: int) -> Iterator[dict[str, Any]]:
    """The objects of a list, until it ends or is cut off."""
    decoder = json.JSONDecoder()
    while (at := text.find("{", at)) >= 0:
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return
        yield found


def disagreements(folder: Path, most: int) -> tuple[Counter[str], list[dict[str, Any]]]:
    """How many there are of each kind, and the first of the file, which are the gravest."""
    path = folder / DISAGREEMENTS
    kinds: Counter[str] = Counter()
    first: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                item = json.loads(line)
                kinds[item["kind"]] += 1
                if len(first) < most:
                    first.append(item)
    return kinds, first
