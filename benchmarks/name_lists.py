"""Makes the lists of `configs/scrubbing/lists`: words, surnames, given names, towns.

Run: ``python -m benchmarks.name_lists --philter DIR --symspell DIR --census DIR --towns DIR``, the
folders of the unpacked packages that `configs/scrubbing/lists/README.md` names.

A list is gzip text. Each line is one bucket: three first letters, then the groups of the list, all
parted by tabs; a group is the rest of its words, sorted, with a space on either side (an underscore
stands for a space within a name).
"""

import argparse
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from voxcurate.config import read_yaml, shipped
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_set

_PLAIN = re.compile(r"[^\W\d_]{2,}")
_TOWN = re.compile(r"[^\W\d_]+(?:[ '’.-]{1,2}[^\W\d_]+){0,4}")
# a clinical list holds eponyms too: what only it knows and ends like this is a name as well
_SURNAME_ENDING = re.compile(
    r"(?:sen|sson|stein|berg|ovi[ct]h?|ski|sky|enko|owitz|wicz|quist|dottir|opoulos|mann|etti|elli|"
    r"strom|oglu|shvili|yama|moto)$"
)
# words before which a word is no name: "the points", "to grant"
_BEFORE = word_set(
    "the a an this that these some any no your his her my our their to will can would not very "
    "more is be"
)
_WEB_COUNT_OF_A_PERCENT = 70e6  # how often the web says the name of one American in a hundred
_SMALL_TOWNS = frozenset(("US", "GB", "IE", "AU", "NZ", "CA", "DE", "NL", "CH", "AT", "BE"))
_ALSO_TOWNS = frozenset(("new york", "washington", "quebec", "berlin", "hamburg", "bremen", "wien"))


class Counts:
    """How often English words and American names occur."""

    def __init__(self, symspell: Path, census: Path) -> None:
        self.word: dict[str, int] = {}
        self.after: dict[str, int] = defaultdict(int)
        self.share: dict[str, float] = defaultdict(float)
        self.given: set[str] = set()
        for line in _lines(symspell / "frequency_dictionary_en_82_765.txt"):
            word, count = line.split()
            self.word[word] = int(count)
        for line in _lines(symspell / "frequency_bigramdictionary_en_243_342.txt"):
            first, word, count = line.split()
            if first in _BEFORE:
                self.after[word] += int(count)
        for part, weight in (("all.last", 1.0), ("female.first", 0.5), ("male.first", 0.5)):
            for line in _lines(census / f"dist.{part}"):
                name, percent = line.lower().split()[:2]
                self.share[name] += weight * max(float(percent), 0.0004)
                if part != "all.last":
                    self.given.add(name)

    def is_used(self, word: str) -> bool:
        """Whether English uses a word as a word: after an article, "to", "very"..."""
        count = self.word.get(word, 0)
        return count > 0 and self.after[word] / count >= 0.5

    def reading(self, word: str, *, clinical: bool, given: bool) -> str:
        """What a word that is somebody's name is too: ``w`` a word, ``b`` both, ``n`` no word."""
        count, share = self.word.get(word, 0), self.share.get(word, 0.0)
        ratio = count / _WEB_COUNT_OF_A_PERCENT / max(share, 0.0002)
        if self.is_used(word):
            return "w" if ratio >= 100 else "b"
        if count > 2e6:
            return "b" if clinical else "n"
        if clinical:
            return "b" if share >= 0.003 or word in self.given else "w"
        if self.is_inflected(word):
            return "w" if share < 0.001 else "b"
        return "n" if share >= 0.001 or given else "b"

    def is_inflected(self, word: str) -> bool:
        """Whether English has two other forms of a word: "tangled" and "tangling"."""
        stem = word[:-1] if word[-1] in "ey" else word
        endings = (
            "ies",
            "ied",
            "ier",
            "ing",
            "ed",
            "er",
            "es",
            "s",
            "ly",
            word[-1] + "ing",
            word[-1] + "ed",
        )
        forms = {stem + ending for ending in endings} | {word + "s", word + "ing", word + "ed"}
        return len((forms - {word}) & self.word.keys()) > 1


def main() -> int:
    """Write the lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for source in ("philter", "symspell", "census", "towns"):
        parser.add_argument(f"--{source}", type=Path, required=True)
    asked = parser.parse_args()
    counts = Counts(asked.symspell, asked.census)
    filters = asked.philter / "filters"
    clinical = _plain(filters / "whitelists" / "whitelist_plus_fps_091718_nonames.json")
    given = _plain(filters / "blacklists" / "firstnames_minus_fps.json") | counts.given
    surnames = _plain(filters / "blacklists" / "lastnames_minus_fps.json") | (
        counts.share.keys() - counts.given
    )
    named = given | surnames
    words: dict[str, int] = {}
    for word in clinical | counts.word.keys():
        strange = word not in named and word not in counts.word and _SURNAME_ENDING.search(word)
        reading = "w"
        if word in named:
            reading = counts.reading(word, clinical=word in clinical, given=word in given)
        reading = "b" if strange else reading
        if reading != "n" and _PLAIN.fullmatch(word):
            words[word] = 1 if reading == "b" else 0 if word in clinical else 2
    sure = {word for word, group in words.items() if group != 1}
    folder = shipped("scrubbing", "lists")
    _write(folder / "words.txt.gz", words, 3)
    _write(folder / "surnames.txt.gz", _by_share(surnames - sure, counts), 3)
    _write(folder / "given.txt.gz", _by_share(given - sure, counts), 3)
    _write(folder / "towns.txt.gz", _towns(asked.towns, counts, clinical), 6)
    return 0


def _by_share(names: Iterable[str], counts: Counts) -> dict[str, int]:
    """Groups: frequent, in the census of 1990, seldom."""
    share = counts.share
    return {
        name: 0 if share.get(name, 0) >= 0.01 else 1 if name in share else 2
        for name in names
        if _PLAIN.fullmatch(name)
    }


def _towns(data: Path, counts: Counts, clinical: set[str]) -> dict[str, int]:
    """Groups: from 100,000 people, from 15,000, smaller; and the same of names that are words."""
    own = read_yaml(shipped("scrubbing", "words.yaml"))
    ordinary, both = set(own["words"].split()), set(own["both"].split())
    lands = json.loads((data / "countries.json").read_text(encoding="utf-8"))
    states = json.loads((data / "us_states.json").read_text(encoding="utf-8"))
    not_towns = {fold(one["name"]) for one in [*lands.values(), *states.values()]} - _ALSO_TOWNS
    found: dict[str, int] = {}
    for one in json.loads((data / "cities500.json").read_text(encoding="utf-8")).values():
        people = one["population"]
        if people < 1000 and one["countrycode"] not in _SMALL_TOWNS:
            continue
        group = 0 if people >= 100_000 else 1 if people >= 15_000 else 2
        names = {one["name"]}
        if people >= 500_000:
            names |= {name for name in one["alternatenames"] if name.istitle() and len(name) > 4}
        for name in names:
            low = fold(name).replace("’", "'")
            if not _TOWN.fullmatch(low) or len(low) < 3 or low in not_towns or not low.isascii():
                continue
            doubtful = all(
                part in ordinary or counts.is_used(part) or (group == 2 and part in clinical)
                for part in re.split(r"[^a-z]+", low)
            )
            doubtful |= low in both
            found[low] = min(found.get(low, 9), group + (3 if doubtful else 0))
    return found


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig").splitlines()


def _plain(path: Path) -> set[str]:
    words = json.loads(path.read_text(encoding="utf-8"))
    return {fold(word) for word in words if _PLAIN.fullmatch(word)}


def _write(path: Path, words: Mapping[str, int], n_groups: int) -> None:
    buckets: dict[str, list[list[str]]] = defaultdict(lambda: [[] for _ in range(n_groups)])
    for word in sorted(words):
        buckets[word[:3]][words[word]].append(word[3:].replace(" ", "_") or "-")
    lines = [
        "\t".join([head, *(f" {' '.join(group)} " for group in groups)])
        for head, groups in sorted(buckets.items())
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


if __name__ == "__main__":
    raise SystemExit(main())
