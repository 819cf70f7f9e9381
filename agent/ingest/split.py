"""The frozen splits: by groups that must not be torn apart, stratified by what can test what.

A group is everything that patients and duplicates join. Its split never changes; a new scan that
joins a group inherits it. A scan that joins two groups of different splits changes neither and goes
to validation itself: it neither trains a model nor scores one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.ingest.config import SplitConfig
from voxcurate.catalog.records import Split
from voxcurate.ids import keyed

SPLITS: tuple[Split, ...] = ("test", "validation", "train")  # who gets a group that all deserve
BRIDGE: Split = "validation"
ALL = ""  # the stratum of every group with any truth


@dataclass(frozen=True)
class Member:
    """A scan to be shared out, or one that was (`split` is then set).

    Attributes:
        links: whatever joins scans: the patient's hash, the duplicate group.
        truth: what it can test: classes that are drawn on it, ``report``; empty if nothing.
    """

    case_id: str
    links: tuple[str, ...]
    truth: frozenset[str]
    split: Split | None = None


@dataclass
class Group:
    """Scans that stay together; `splits` are those that its older members already have."""

    name: str
    members: list[Member] = field(default_factory=list)

    @property
    def truth(self) -> frozenset[str]:
        """All that its members can test."""
        return frozenset().union(*(member.truth for member in self.members))

    @property
    def splits(self) -> set[Split]:
        """Splits that its older members have."""
        return {member.split for member in self.members if member.split is not None}


def share_out(
    members: Sequence[Member], config: SplitConfig, key: bytes
) -> tuple[dict[str, Split], dict[str, list[Split]]]:
    """A split for every member that has none.

    New groups are dealt by iterative stratification (Sechidis et al., ECML PKDD 2011): always for
    the stratum with the fewest groups left, to the split that lacks most of it, in the order of the
    groups' keyed hashes. So every split has its share of every class, as far as numbers allow, and
    the result does not depend on the order of the members.

    Args:
        members: old and new scans.
        config: shares.
        key: of the workspace.

    Returns:
        split of each new case; for the bridging ones among them, the splits that they touch.
    """
    groups = join(members)
    result: dict[str, Split] = {}
    bridges: dict[str, list[Split]] = {}
    fresh: list[Group] = []
    dealt: list[tuple[Group, Split]] = []
    for group in groups:
        new = [member.case_id for member in group.members if member.split is None]
        if not group.splits:
            fresh.append(group)
            continue
        if len(group.splits) > 1:
            bridges.update({case_id: sorted(group.splits) for case_id in new})
        split = BRIDGE if len(group.splits) > 1 else next(iter(group.splits))
        result.update(dict.fromkeys(new, split))
        dealt.append((group, split))
    for group, split in _deal(fresh, dealt, config, key):
        result.update({member.case_id: split for member in group.members})
    return result, bridges


def join(members: Iterable[Member]) -> list[Group]:
    """The groups: union-find over shared links; named by the smallest link, in order of names."""
    parent: dict[str, str] = {}

    def root(link: str) -> str:
        while parent.setdefault(link, link) != link:
            parent[link] = parent[parent[link]]
            link = parent[link]
        return link

    ordered = sorted(members, key=lambda member: member.case_id)
    for member in ordered:
        first = root(member.links[0])
        for link in member.links[1:]:
            other = root(link)
            first, other = min(first, other), max(first, other)
            parent[other] = first
    groups: dict[str, Group] = {}
    for member in ordered:
        name = root(member.links[0])
        groups.setdefault(name, Group(name)).members.append(member)
    return [groups[name] for name in sorted(groups)]


def _deal(
    fresh: Sequence[Group],
    dealt: Sequence[tuple[Group, Split]],
    config: SplitConfig,
    key: bytes,
) -> list[tuple[Group, Split]]:
    result: list[tuple[Group, Split]] = []
    waiting: list[tuple[Group, frozenset[str]]] = []
    for group in sorted(fresh, key=lambda g: keyed(f"split:{g.name}", key, 32)):
        if group.truth or config.without_truth == "split":
            waiting.append((group, group.truth | {ALL}))
        else:
            result.append((group, "train"))
    lacking = _lacking(waiting, dealt, config)
    left = Counter(stratum for _, strata in waiting for stratum in strata)
    while waiting:
        rarest = min((s for s in left if left[s] > 0), key=lambda s: (left[s], s))
        index = next(i for i, (_, strata) in enumerate(waiting) if rarest in strata)
        group, strata = waiting.pop(index)
        split = max(SPLITS, key=lambda s: (round(lacking[rarest][s], 9), lacking[ALL][s]))
        for stratum in strata:
            lacking[stratum][split] -= 1
            left[stratum] -= 1
        result.append((group, split))
    return result


def _lacking(
    waiting: Sequence[tuple[Group, frozenset[str]]],
    dealt: Sequence[tuple[Group, Split]],
    config: SplitConfig,
) -> Mapping[str, dict[Split, float]]:
    """How many groups of each stratum each split still wants."""
    totals = Counter(stratum for _, strata in waiting for stratum in strata)
    have: dict[str, Counter[Split]] = defaultdict(Counter)
    for group, split in dealt:
        for stratum in group.truth | {ALL} if group.truth else ():
            totals[stratum] += 1
            have[stratum][split] += 1
    shares: dict[Split, float] = {
        "train": config.train,
        "validation": config.validation,
        "test": config.test,
    }
    result: dict[str, dict[Split, float]] = {}
    for stratum, total in totals.items():
        wanted = {split: share * total for split, share in shares.items()}
        if config.test > 0:
            wanted["test"] = max(wanted["test"], min(config.min_test, total // 3))
        result[stratum] = {split: wanted[split] - have[stratum][split] for split in shares}
    return result
