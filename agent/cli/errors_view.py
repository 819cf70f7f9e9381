"""Label errors on a terminal, as JSON, as a table."""

import csv
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.console import DONE, WIDTH, show_json
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labeling.errors import LabelError, Looked, Tally
    from labeling.errors.known import Confusion
    from labeling.errors.rates import Rate
    from voxcurate.catalog import Catalog
    from voxcurate.classes import Vocabulary

CSV_COLUMNS = (
    "case_id", "class_id", "source", "round", "scope", "kind", "standing", "probability",
    "found_by", "witnesses", "drawn_by", "ml", "label_id", "mended", "by", "mended_round",
    "instead", "chosen", "seen", "again", "again_round", "is_relapse", "seconds", "minutes",
)  # fmt: skip
STYLES = {"open": "yellow", "verified": "red", "refuted": "green"}
MOST_BACK = 15
WIDEST = 170  # ids are copied from the list: they are never cut


@dataclass(frozen=True)
class Wanted:
    """Which errors are asked for.

    Attributes:
        round: in which they were seen; 0: any.
        standing: one of `labeling.errors.STANDINGS`; empty: what counts as an error.
        drawings: what never counted as a label, too.
    """

    round: int = 0
    cases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kind: str = ""
    standing: str = ""
    drawings: bool = False

    def check(self) -> None:
        """Whether kind and standing exist.

        Raises:
            ConfigError: one does not.
        """
        from labeling.errors import KINDS, STANDINGS

        for what, value, known in (
            ("kind", self.kind, KINDS),
            ("standing", self.standing, STANDINGS),
        ):
            if value and value not in known:
                raise ConfigError(f"want a {what} of {', '.join(known)}; found {value!r}")

    def fits(self, error: "LabelError") -> bool:
        """Whether an error is one of them."""
        return (
            (not self.round or self.round in error.seen)
            and (not self.kind or error.kind == self.kind)
            and (error.standing == self.standing if self.standing else error.is_error)
            and (self.drawings or error.scope == "label")
        )


def show_list(
    catalog: "Catalog",
    vocabulary: "Vocabulary",
    wanted: Wanted,
    *,
    limit: int,
    file: Path | None,
    as_json: bool,
) -> int:
    """Print errors, the worst first; write all of them to a file."""
    from labeling.errors import read_errors

    wanted.check()
    _check_sources(catalog, wanted.sources)
    found = (
        error
        for error, _ in read_errors(
            catalog, vocabulary, cases=wanted.cases, classes=wanted.classes,
            sources=wanted.sources,
        )
        if wanted.fits(error)
    )  # fmt: skip
    counted = _Counted(found)
    rows: Iterable[LabelError] = _written(file, counted) if file is not None else counted
    worst = heapq.nsmallest(limit, rows, key=_rank) if limit else sorted(rows, key=_rank)
    if as_json:
        show_json([error.plain() for error in worst])
        return DONE
    _table_of(worst)
    left = f"the worst {len(worst)} of {counted.n} errors" if len(worst) < counted.n else ""
    typer.echo(left or f"{counted.n} errors")
    if file is not None:
        typer.echo(f"all {counted.n} are in {file.name}")
    return DONE


class _Counted:
    """Errors, counted as they pass."""

    def __init__(self, errors: "Iterable[LabelError]") -> None:
        self._errors, self.n = errors, 0

    def __iter__(self) -> "Iterator[LabelError]":
        for error in self._errors:
            self.n += 1
            yield error


def _rank(error: "LabelError") -> tuple[Any, ...]:
    return error.rank


def _check_sources(catalog: "Catalog", sources: Sequence[str]) -> None:
    from voxcurate.catalog import Scan

    known = {source for (source,) in catalog.columns(Scan, "source")} if sources else set()
    if missing := [s for s in sources if s not in known]:
        there = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"no data set {missing[0]!r} here; there are: {there}")


def _written(file: Path, errors: "Iterable[LabelError]") -> "Iterator[LabelError]":
    """The errors, each of them written to a table as it passes."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(CSV_COLUMNS)
        for error in errors:
            writer.writerow(csv_row(error))
            yield error


def csv_row(error: "LabelError") -> list[Any]:
    """An error as a line of a table."""
    values = [getattr(error, name) for name in CSV_COLUMNS]
    return ["; ".join(map(str, v)) if isinstance(v, tuple) else v for v in values]


def _table_of(errors: "Sequence[LabelError]") -> None:
    from rich.console import Console
    from rich.table import Table

    from labeling.errors import KINDS, MENDS

    table = Table(box=None, header_style="bold")
    for name in ("case", "class", "round", "kind", "chance", "found by", "drawn by", "now"):
        is_number = name in ("round", "chance")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=name != "now")
    for e in errors:
        done = MENDS.get(e.mended, "")
        now = f"{e.standing}: {done}" if done else e.standing
        back = f" (before: {KINDS[e.again].name})" if e.again else ""
        back = " (again)" if e.again == e.kind else back
        chance = "" if e.probability is None else f"{e.probability:.2f}"
        style = STYLES.get(e.standing, "")
        table.add_row(
            e.case_id,
            e.class_id,
            str(e.round),
            KINDS[e.kind].name + back,
            chance,
            ", ".join(e.found_by[:2]),
            e.drawn_by,
            f"[{style}]{now}[/]" if style else now,
        )
    console = Console()
    console.width = max(WIDEST, console.width)
    if errors:
        console.print(table)


def show_one(
    catalog: "Catalog", vocabulary: "Vocabulary", case: str, class_id: str, *, as_json: bool
) -> int:
    """Print the errors of one structure, also those that were none."""
    from labeling.errors import KINDS, read_errors
    from labeling.errors.words import became, repeated, undoing

    found = [e for e, _ in read_errors(catalog, vocabulary, cases=[case], classes=[class_id])]
    if as_json:
        told = [{**e.plain(), "became": became(e), "undo": undoing(e)} for e in found]
        show_json(told)
        return DONE
    if not found:
        typer.echo("nothing has ever been said against this structure")
    for e in found:
        chance = "" if e.probability is None else f", probability {e.probability:.2f}"
        size = "" if e.ml is None else f", {e.ml:.3g} mL"
        where = "label" if e.scope == "label" else "drawing of the round"
        rounds = ", ".join(map(str, e.seen))
        typer.echo(f"round {e.round}: {KINDS[e.kind].name}{chance}")
        typer.echo(
            f"  {where} {e.label_id or 'none'} by {e.drawn_by}{size}; seen in round {rounds}"
        )
        for line in e.witnesses:
            typer.echo(f"  - {line}")
        typer.echo(f"  {became(e)}")
        for line in (repeated(e), undoing(e)):
            if line:
                typer.echo(f"  {line}")
    return DONE


def show_summary(
    catalog: "Catalog",
    vocabulary: "Vocabulary",
    *,
    upto: int | None,
    known: Path | None,
    as_json: bool,
) -> int:
    """Print the counts of all errors, as of a round."""
    from labeling.errors.known import confusion, looked_keys, read_known
    from labeling.errors.reader import looked_at, read_errors
    from labeling.errors.tally import tallied

    truth = read_known(known) if known is not None else {}
    kept: list[LabelError] = []

    def passing() -> "Iterator[tuple[LabelError, str]]":
        for error, patient in read_errors(catalog, vocabulary, upto=upto):
            if (error.case_id, error.class_id) in truth:
                kept.append(error)
            yield error, patient

    tally, looked = tallied(passing()), looked_at(catalog, upto=upto)
    compared = confusion(truth, looked_keys(catalog, truth, upto), kept) if truth else None
    if as_json:
        show_json(plain_summary(tally, looked, compared))
    else:
        _print_summary(tally, looked, compared)
    return DONE


def plain_summary(tally: "Tally", looked: "Looked", compared: "Confusion | None") -> dict[str, Any]:
    """The counts as plain data."""
    from labeling.errors import KINDS

    rounds = sorted({*tally.rounds, *looked.rounds})
    found: dict[str, Any] = {"rounds": {}}
    for n in rounds:
        own: dict[str, Any] = {}
        for scope in ("label", "drawing"):
            of_kind = tally.count("kind", scope=scope, round=n)
            own[f"{scope}s"] = {
                **tally.rate(looked, n, scope=scope).plain(),
                "new": sum(tally.count(scope=scope, round=n, new=True).values()),
                "by_kind": {
                    k: tally.rate(looked, n, "kind", k, scope).plain() for k in KINDS if of_kind[k]
                },
                "by_standing": dict(
                    tally.count("standing", scope=scope, round=n, errors=False)
                ),
            }  # fmt: skip
        found["rounds"][str(n)] = own
    found["found_by"] = dict(tally.count("found", scope="label", errors=False).most_common())
    found["mended"] = {k or "not yet": vars(s) for k, s in tally.costs("mended").items()}
    found["classes"] = [
        {
            "class_id": t.class_id,
            "trend": t.trend,
            "rounds": {str(n): r.plain() for n, r in t.by_round.items()},
        }
        for t in tally.trends(looked)
    ]
    found["recurring"] = [
        {**vars(r), "by_round": {str(n): k for n, k in r.by_round.items()}}
        for r in tally.recurrences()
    ]
    found["came_back"] = {"n": tally.n_again, "worst": [e.plain() for e in tally.back]}
    if compared is not None:
        found["known"] = {
            "wrong": compared.wrong, "found": compared.found, "named": compared.named,
            "right_accused": compared.accused,
            "table": [
                {"true": true, "told": told, "labels": n}
                for (true, told), n in sorted(compared.counts.items())
            ],
        }  # fmt: skip
    return found


def _print_summary(tally: "Tally", looked: "Looked", compared: "Confusion | None") -> None:
    from labeling.errors import FOUND, KINDS, MENDS

    rounds = sorted({*tally.rounds, *looked.rounds})
    if not rounds:
        typer.echo("no label has been looked at yet: 'voxcurate round'")
        return
    for scope, title in (
        ("label", "labels that counted"), ("drawing", "what machines drew, before it counted"),
    ):  # fmt: skip
        kinds = tally.count("kind", scope=scope)
        rows = [["all", *(_rate(tally.rate(looked, n, scope=scope)) for n in rounds)]]  # type: ignore[arg-type]
        rows += [
            [KINDS[k].name, *(_rate(tally.rate(looked, n, "kind", k, scope)) for n in rounds)]  # type: ignore[arg-type]
            for k, _ in kinds.most_common()
        ]
        _print_table(
            f"wrong per 1,000 {title} (95 %)", ["kind", *(f"round {n}" for n in rounds)], rows
        )
    found = tally.count("found", "standing", scope="label", errors=False, new=True)
    names = [
        n for n, _ in tally.count("found", scope="label", errors=False, new=True).most_common()
    ]
    standings = ("verified", "mended", "open", "kept", "refuted")
    _print_table(
        "labels suspected, by who spoke loudest", ["found by", *standings],
        [[FOUND.get(f, f), *(str(found[f, s]) for s in standings)] for f in names],
    )  # fmt: skip
    costs = sorted(tally.costs("mended", scope="label").items(), key=lambda kv: -kv[1].n)
    _print_table(
        "what became of them", ["", "labels", "processor (s)", "people (min)"],
        [[MENDS.get(k, "nothing yet, or kept"), str(s.n), f"{s.seconds:.1f}", f"{s.minutes:.1f}"]
         for k, s in costs],
    )  # fmt: skip
    trends = [t for t in tally.trends(looked) if t.trend != "falls"]
    if len(rounds) > 1:
        _print_table(
            "classes whose rate does not fall", ["class", *(f"round {n}" for n in rounds), ""],
            [[t.class_id, *(_rate(t.by_round.get(n)) for n in rounds), t.trend]
             for t in trends[:MOST_BACK]],
        )  # fmt: skip
        back = [r for r in tally.recurrences() if r.scope == "label"][:MOST_BACK]
        _print_table(
            "found anew though mended before",
            ["kind", "class", "data set", *(f"round {n}" for n in rounds), "same label again"],
            [[KINDS[r.kind].name, r.class_id, r.source,
              *(str(r.by_round.get(n, 0)) for n in rounds), str(r.relapses)] for r in back],
        )  # fmt: skip
    if compared is not None:
        typer.echo(
            f"known: {compared.found} of {compared.wrong} wrong labels found, {compared.named} "
            f"named rightly; {compared.accused} of {compared.total('right')} right ones accused"
        )


def _rate(rate: "Rate | None") -> str:
    if rate is None or rate.value is None:
        return ""
    return f"{rate.value:.1f} ({rate.low:.1f} to {rate.high:.1f})"


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for n, name in enumerate(head):
        table.add_column(
            name, justify="right" if n and name not in ("class", "data set", "") else "left"
        )
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(WIDTH, console.width)
    console.print(table)
    typer.echo("")
