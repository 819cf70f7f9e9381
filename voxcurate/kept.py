"""Results of cases in files: a run that was stopped goes on where it was."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxcurate.atomic import write_text
from voxcurate.ids import content_id


@dataclass(frozen=True)
class KeptResults:
    """A file for each case: a hash of what its result depends on, and the result as plain data.

    Attributes:
        folder: where they lie; None: nothing is kept.
        common: what the results of all cases depend on, hashed.
    """

    folder: Path | None = None
    common: str = ""

    def get(self, case: str, state: Any) -> Any:
        """The result of a case; None if it is not there or its inputs have changed.

        Args:
            case: a file's name.
            state: of its inputs, as plain data.
        """
        if self.folder is None:
            return None
        try:
            found = json.loads((self.folder / f"{case}.json").read_text())
            return found["result"] if found["fingerprint"] == self._mark(state) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, case: str, state: Any, result: Any) -> None:
        """Keep a result; the file is whole or not there."""
        if self.folder is not None:
            data = {"fingerprint": self._mark(state), "result": result}
            write_text(self.folder / f"{case}.json", json.dumps(data) + "\n")

    def _mark(self, state: Any) -> str:
        return content_id(self.common, state)
