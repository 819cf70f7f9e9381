"""Does it scale: overhead of executors and ledger, a simulated cluster, hours and disk of a job.

    python -m benchmarks.scale overhead             LocalExecutor over no-op items, beside its peers
    python -m benchmarks.scale ledger               item updates a second, SQLite and PostgreSQL
    python -m benchmarks.scale costs WORKSPACE      what items cost in a round that was run
    python -m benchmarks.scale simulate             25,362 scans x 19 models, failures injected
    python -m benchmarks.scale sizing               hours and disk by scans and GPUs

Each prints JSON lines, `sizing` a table; ``--help`` of each names its options.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

MODULES = {
    "overhead": "benchmarks.scale_overhead",
    "ledger": "benchmarks.scale_ledger",
    "costs": "benchmarks.scale_costs",
    "simulate": "benchmarks.scale_simulate",
    "sizing": "benchmarks.scale_sizing",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the benchmarks."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in MODULES:
        sys.stdout.write(__doc__ or "")
        return 0 if given in (["--help"], ["-h"]) else 2
    run: Callable[[Sequence[str]], int] = import_module(MODULES[given[0]]).main
    return run(given[1:])


if __name__ == "__main__":
    sys.exit(main())
