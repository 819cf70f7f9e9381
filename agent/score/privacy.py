"""Planted identifiers that can still be read in a workspace, outside its private folder."""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring

STAGE = "privacy"
_HEAD_BYTES = 4096  # a NIfTI header and its extensions; voxels hold no text
_CHUNK = 1 << 22
_LONGEST = 256


def score_privacy(scoring: Scoring) -> Iterator[ScoreRow]:
    """How many planted strings are left, beside how many the input shows."""
    measure = "planted identifiers left readable"
    if not scoring.scans:
        yield not_run(STAGE, measure)
        return
    planted = {entry["text"]: entry["kind"] for entry in scoring.data["phi"]}
    texts = sorted(planted)
    left = find_strings(scoring.workspace.root, texts, skip=("private",))
    cohort = scoring.folder.parent / "cohort"
    before = len(find_strings(cohort, texts)) if cohort.is_dir() else None
    kinds = sorted({planted[text] for text in left})
    places = sorted({place for found in left.values() for place in found})[:4]
    yield ScoreRow(
        STAGE,
        measure,
        float(len(left)),
        "in the input",
        None if before is None else float(before),
        len(texts),
        f"kinds: {', '.join(kinds)}; in {', '.join(places)}" if left else "",
    )


def find_strings(
    root: Path, texts: Sequence[str], *, skip: Sequence[str] = ()
) -> dict[str, set[str]]:
    """Which of `texts` occur in any file or file name below `root`, in any case.

    Gzipped files are searched in their first 4 kB unpacked. A text of digits only counts where no
    further digit stands beside it, so that a long decimal does not count.

    Args:
        root: a folder.
        texts: what to look for.
        skip: names of top-level folders to leave out.

    Returns:
        Each text found, with the relative paths where it was.
    """
    pattern = re.compile(_any_of([text.lower() for text in texts]).encode())
    original = {text.lower(): text for text in texts}
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if relative.parts[0] in skip or not path.is_file():
            continue
        blocks = [relative.as_posix().encode(), *_blocks(path)]
        for block in blocks:
            for hit in _hits(pattern, block.lower()):
                found.setdefault(original[hit], set()).add(relative.as_posix())
    return found


def _hits(pattern: re.Pattern[bytes], block: bytes) -> Iterator[str]:
    at = 0
    while match := pattern.search(block, at):
        at = match.start() + 1
        text = match.group()
        around = block[max(0, match.start() - 1) : match.start()] + block[match.end() :][:1]
        if not (text.isdigit() and re.search(rb"[0-9.]", around)):
            yield text.decode()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        if stream.read(2) == b"\x1f\x8b":
            stream.seek(0)
            try:
                yield gzip.GzipFile(fileobj=stream).read(_HEAD_BYTES)
            except (EOFError, OSError, zlib.error):
                return
            return
        stream.seek(0)
        tail = b""
        while block := stream.read(_CHUNK):
            yield tail + block
            tail = block[-_LONGEST:]


def _any_of(texts: Sequence[str]) -> str:
    """A regular expression for any of the texts, as a prefix tree: fast with hundreds of them."""
    tree: dict[str, dict] = {}  # type: ignore[type-arg]
    for text in texts:
        node = tree
        for letter in text:
            node = node.setdefault(letter, {})
        node[""] = {}

    def build(node: dict[str, dict]) -> str:  # type: ignore[type-arg]
        branches = [re.escape(letter) + build(below) for letter, below in node.items() if letter]
        if not branches:
            return ""
        body = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
        return f"(?:{body})?" if "" in node else body

    return build(tree)
