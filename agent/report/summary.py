"""The head of the page: what the round was, and in plain words what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agent.report.blocks import Block, Listing, Section, Text
from agent.report.quality import Score, interval, scores
from agent.report.running import failed_items
from agent.report.view import ANSWERS, RoundView

MOST_NAMES = 12


def header(view: RoundView) -> dict[str, Any]:
    """Title, date and the facts of the round, for the top of the page."""
    row = view.round
    facts: list[tuple[str, str]] = []
    need = str(view.config.get("need") or "") if row else ""
    facts.append(("Need", need or "not given in words"))
    facts.append(("Classes", listed([view.class_name(c) for c in view.classes]) or "none"))
    if row is not None:
        preset = view.ctx.workspace.config.preset
        facts.append(("Status", row.status + (f": {row.stop_reason}" if row.stop_reason else "")))
        facts.append(("Time", _span(row.started, row.finished)))
        facts.append(("Preset and seed", f"{preset}, seed {row.seed}"))
        versions = row.versions
        facts.append(("voxcurate", str(versions.get("voxcurate", "version not recorded"))))
    has_config = (view.folder / "config.yaml").is_file()
    return {
        "number": view.number,
        "date": (row.finished or row.started)[:10] if row else "",
        "facts": facts,
        "config": "config.yaml" if has_config else "",
    }


def summary(view: RoundView) -> Section:
    """What happened, what needs a person, quality now against the last round."""
    blocks: list[Block] = [Text(_happened(view)), Text(_labels(view))]
    blocks.append(Text(_quality(view, scores(view))))
    needs = needs_person(view)
    if needs:
        blocks += [Text("What needs a person:", "strong"), Listing(needs)]
    else:
        blocks.append(Text("Nothing needs a person.", "good"))
    rules = stop_rules_in_words(view)
    if rules:
        blocks += [Text("Is another round worth it?", "strong"), Listing(rules)]
    return Section("summary", "In short", blocks)


def stop_rules_in_words(view: RoundView) -> list[str]:
    """What was concluded, and how each rule to stop stands; empty before the round's end."""
    counts = view.round.facts.get("counts", {}) if view.round else {}
    stop = counts.get("stop", {})
    if not stop.get("rules"):
        return []
    verdict = "Stop" if stop.get("stop") else "Go on"
    rules = [f"{name.capitalize()}: {words}." for name, words in stop["rules"].items()]
    return [f"{verdict}: {stop.get('reason', '')}.", *rules]


def needs_person(view: RoundView) -> list[str]:
    """Things that only people can settle, most urgent first."""
    found = []
    if view.waiting:
        per_class = Counter(d.class_id for d in view.waiting).most_common(3)
        names = ", ".join(f"{view.class_name(c)} {n}" for c, n in per_class if c)
        found.append(
            f"{plural(len(view.waiting), 'structure')} to review"
            + (f" (most: {names})" if names else "")
            + f", in review/{view.number}/."
        )
    failed = failed_items(view)
    if failed:
        stages = ", ".join(f"{stage} {n}" for stage, n in Counter(i.stage for i in failed).items())
        found.append(f"{plural(len(failed), 'item')} failed ({stages}); see Failures.")
    suspect = [scan for scan in view.cohort if scan.status == "suspect"]
    if suspect:
        found.append(f"{plural(len(suspect), 'suspect scan')} to look at: {_names(suspect)}.")
    leaks = {d.case_id for d in view.decided("clean", "leak")}
    if leaks:
        found.append(
            f"{plural(len(leaks), 'scan')} failed the leak scan and cannot be exported: "
            f"{listed(sorted(leaks))}."
        )
    doubtful = {d.case_id for d in view.decided("clean", "doubtful")} - leaks
    if doubtful:
        names = listed(sorted(doubtful))
        found.append(f"{plural(len(doubtful), 'scan')} may hold identifying words: {names}.")
    counts = view.round.facts.get("counts", {}) if view.round else {}
    if unseen := counts.get("train", {}).get("classes_in_no_patch", []):
        names = listed([view.class_name(class_id) for class_id in unseen])
        found.append(f"No patch of the training has shown {names}: the flagship cannot know it.")
    unknown = sorted({scan.source for scan in view.used if scan.licence == "unknown"})
    if unknown:
        found.append(f"The licence of {listed(unknown)} is unknown; settle it before release.")
    return found


def _happened(view: RoundView) -> str:
    status = Counter(scan.status for scan in view.cohort)
    left = [f"{status['rejected']} rejected"] if status["rejected"] else []
    left += [f"{status['duplicate']} left out as duplicates"] if status["duplicate"] else []
    gone = f" ({', '.join(left)})" if left else ""
    return (
        f"Round {view.number} worked on {plural(len(view.used), 'scan')} of the "
        f"{len(view.cohort):,} that the cohort query named{gone}, for "
        f"{plural(len(view.classes), 'class', 'classes')}."
    )


def _labels(view: RoundView) -> str:
    in_use = {scan.case_id for scan in view.used}
    keys = [key for key in view.pointers if key[0] in in_use and key[1] in view.classes]
    possible = len(view.used) * len(view.classes)
    share = f" ({len(keys) / possible:.0%} of all)" if possible else ""
    people = len(view.decided("review", *ANSWERS))
    judged = view.decided("judge")
    better = sum(1 for d in judged if d.verdict == "replace")
    text = (
        f"{len(keys)} of {possible} structures have a label{share}: "
        f"{len(view.new_keys)} new in this round, {len(view.changed)} replaced."
    )
    if judged:
        text += f" The judge looked at {len(judged)} and preferred another label {better} times."
    return text + (f" People decided on {people}." if people else "")


def _quality(view: RoundView, found: Mapping[tuple[str, str], Score]) -> str:
    whole = found.get(("", "dsc"))
    if whole is None:
        return "Quality was not measured on the test split in this round."
    text = f"Mean DSC on {plural(whole.now.n, 'test scan')}: {interval(whole.now)}"
    if whole.change is not None:
        text += (
            f"; change against round {view.number_before}: {interval(whole.change, sign=True)}, "
        )
        text += _verdict(whole.change.low, whole.change.high)
    elif whole.before is not None:
        text += f"; the last round had {whole.before.mean:.3f} on other scans"
    else:
        text += "; there is no earlier round to compare with"
    ranked = sorted(
        (score.now.mean, class_id)
        for (class_id, m), score in found.items()
        if m == "dsc" and class_id
    )
    if len(ranked) > 1:
        (low, worst), (high, best) = ranked[0], ranked[-1]
        text += (
            f". Best class: {view.class_name(best)} ({high:.3f}); "
            f"weakest: {view.class_name(worst)} ({low:.3f})"
        )
    return text + "."


def _verdict(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "one patient only, so no interval"
    if low > 0:
        return "better beyond chance"
    return "worse beyond chance" if high < 0 else "within what chance explains"


def _span(started: str, finished: str) -> str:
    start = started.replace("T", " ").replace("+00:00", " UTC")
    end = finished.replace("T", " ").replace("+00:00", " UTC")
    return f"{start} to {end}" if end else f"started {start}, not finished"


def _names(scans: Sequence[Any]) -> str:
    return listed([scan.case_id for scan in scans])


def listed(names: Sequence[str]) -> str:
    """Names in words, the first twelve."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def plural(n: int, one: str, many: str = "") -> str:
    """``1 scan``, ``2 scans``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
