"""The priority list as people ask for it and see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from agent.cli.console import WIDTH
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection

    from labeling.attention.tables import Row
    from labeling.config import PriorityConfig

ROWS_SHOWN = 20
COLUMNS = {
    "rank": "right",
    "case": "left",
    "class": "left",
    "score": "right",
    "look": "left",
    "why": "left",
    "worst region (i, j, k)": "left",
}


def priority_of(score: str = "", cut: str = "", top_percent: float | None = None) -> dict[str, Any]:
    """What the options of a command say, as settings of `PriorityConfig`; those not given are left
    out.

    Raises:
        ConfigError: no such score or cut, or a share of the cases with another cut.
    """
    from labeling.config import Score

    found: dict[str, Any] = {}
    if score:
        if score not in get_args(Score):
            raise ConfigError(f"want --score {', '.join(get_args(Score))}, found {score!r}")
        found["score"] = score
    if top_percent is not None:
        if cut not in ("", "top"):
            raise ConfigError(f"--top-percent goes with --cut top, found --cut {cut}")
        if not top_percent:
            raise ConfigError("want --top-percent above 0: nobody would look at anything")
        cut, found["fraction"] = "top", top_percent / 100
    if cut.isdigit() and int(cut):
        found |= {"rule": "budget", "budget": int(cut)}
    elif cut:
        rules = {"top": "top", "outliers": "robust"}
        if cut not in rules:
            wanted = "want --cut top, outliers or a number of cases from 1"
            raise ConfigError(f"{wanted}, found {cut!r}")
        found["rule"] = rules[cut]
    return found


def cut_words(config: "PriorityConfig") -> str:
    """The rule of the cut in words."""
    if config.rule == "budget":
        return f"the first {config.budget}"
    is_top = config.rule == "top"
    return f"the top {100 * config.fraction:.3g} %" if is_top else "robust outliers"


def show_rows(
    rows: "Sequence[Row]",
    score: str,
    title: str,
    drawn: "Collection[tuple[str, str]]" = (),
) -> None:
    """Lines of the list as a table; `drawn`: cases and classes whose label people drew."""
    from rich.console import Console
    from rich.table import Table

    from labeling.attention.tables import UNITS

    console = Console(width=max(WIDTH, Console().width))
    table = Table(title=f"{title}; score: {UNITS[score]}", title_justify="left")
    for column, side in COLUMNS.items():
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for row in rows:
        box = ", ".join(f"{a}:{b}" for a, b in row.region.box) if row.region else ""
        is_drawn = (row.case_id, row.class_id) in drawn
        look = "yes" if row.chosen else "people drew it" if is_drawn else ""
        cells = (row.case_id, row.class_id, f"{row.score:.4g}", look, row.reason, box)
        table.add_row(str(row.rank), *cells)
    console.print(table)
