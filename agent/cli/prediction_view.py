"""What commands on folders of predictions say of models and cases, on stderr."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.prediction_folders import Models


def warn_of_models(
    models: "Models", missing: Mapping[str, Sequence[str]], failed: Mapping[str, str]
) -> None:
    """Models that are one under two names, cases that lack a model, cases that failed."""
    from agent.prediction_folders import copies

    for one, two in copies(models):
        typer.echo(
            f"warning: {one} and {two} hold the same files: one model that counts twice agrees "
            "with itself",
            err=True,
        )
    for case, lacking in missing.items():
        typer.echo(f"missing: {case}: no prediction of {', '.join(lacking)}", err=True)
    for case, why in failed.items():
        typer.echo(f"failed: {case}: {why}", err=True)
