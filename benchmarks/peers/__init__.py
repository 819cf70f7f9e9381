"""Readers to compare with: keyword search, negspacy and medspaCy's ConText.

The last two run in ``.venv-peers`` (``make peers``). They get our own mentions of the findings,
linked to their organ within a sentence and without look-alikes, so that what is compared is the
reading of context alone; their time has no share of finding the mentions.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.questions import Question, expand
from retrieval.rules.anatomy import organ_mentions
from retrieval.rules.phrases import PhraseFinder
from retrieval.rules.text import sentences

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
_WORTH = {"yes": 3, "uncertain": 2, "no": 1}


@dataclass(frozen=True)
class Mention:
    """Where a report names what questions ask for."""

    start: int
    end: int
    questions: frozenset[str]


class Mentions:
    """Finds the words of presence questions; a term counts in a sentence that names its organ."""

    def __init__(self, questions: Sequence[Question]) -> None:
        asked = [q for q in questions if q.kind == "presence"]
        self._organ = {q.id: q.organ for q in asked}
        self._finder = PhraseFinder(
            (word, (q.id, role))
            for q in asked
            for role, words in (
                ("phrase", q.phrases),
                ("term", q.terms),
                ("exclude", q.excludes),
            )
            for word in expand(words)
        )

    def find(self, text: str) -> list[Mention]:
        """Mentions that do not overlap, left to right; those that would are joined."""
        found: list[Mention] = []
        for start, end, question in sorted(self._hits(text)):
            last = found[-1] if found else None
            if last and start < last.end:
                both = last.questions | {question}
                found[-1] = Mention(last.start, max(end, last.end), both)
            else:
                found.append(Mention(start, end, frozenset({question})))
        return found

    def _hits(self, text: str) -> Iterator[tuple[int, int, str]]:
        for sentence in sentences(text):
            organs = {m.payload for m in organ_mentions(f"{sentence.topic}: {sentence.text}")}
            hits = list(self._finder.find(sentence.text))
            out = [h for h in hits if h.payload[1] == "exclude"]
            for hit in hits:
                question, role = hit.payload
                hidden = any(
                    o.payload[0] == question and o.start <= hit.start and hit.end <= o.end
                    for o in out
                )
                if not hidden and (role == "phrase" or self._organ[question] in organs):
                    yield sentence.start + hit.start, sentence.start + hit.end, question


def keywords(mentions: Iterable[Sequence[Mention]]) -> list[dict[str, Any]]:
    """Yes wherever a question's words stand."""
    return [{q: "yes" for m in found for q in m.questions} for found in mentions]


def context_peer(
    peer: str, texts: Sequence[str], mentions: Sequence[Sequence[Mention]]
) -> tuple[list[dict[str, Any]], float]:
    """A report's answers by a peer's flags (yes beats uncertain beats no), and its seconds.

    Raises:
        FileNotFoundError: its environment is not there.
        subprocess.CalledProcessError: it failed.
    """
    reports = [
        {"text": text, "spans": [[m.start, m.end] for m in found]}
        for text, found in zip(texts, mentions, strict=True)
    ]
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).parent / "context_peers.py")],
        input=json.dumps({"peer": peer, "reports": reports}),
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    answers = []
    for found, flags in zip(mentions, result["flags"], strict=True):
        best: dict[str, Any] = {}
        for mention, flag in zip(found, flags, strict=True):
            for question in mention.questions:
                if _WORTH.get(flag, 0) > _WORTH.get(best.get(question, ""), 0):
                    best[question] = flag
        answers.append(best)
    return answers, float(result["seconds"])
