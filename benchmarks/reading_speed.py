"""Reports a second that the rule reader reads on one core: distinct reports, nothing kept between.

Run: ``python -m benchmarks.reading_speed [--reports 2000] [--questions abdomen --questions ...]``
(default: all shipped). Two sets: the synthetic cohort's reports, and `benchmarks.reading_scale`'s.
Peers on the same reports: ``python -m benchmarks.retrieval``.
"""

import argparse
import sys
import time

from benchmarks import reading_scale
from benchmarks.report_sets import synthetic
from retrieval.alone import questions_of
from retrieval.rules.reader import RuleReader


def main() -> int:
    """Print a line for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--questions", action="append", default=[])
    options = parser.parse_args()
    questions = questions_of(options.questions)
    sets = {
        "synthetic cohort": [r.text for r in synthetic(options.reports, 1)],
        "recombined": [r.text for r in reading_scale.reports(options.reports, 1)],
    }
    for name, texts in sets.items():
        texts = list(dict.fromkeys(texts))
        reader = RuleReader(questions)
        reader.read(texts[0])  # compile
        start = time.process_time()
        found = sum(len(reader.read(text)) for text in texts)
        seconds = time.process_time() - start
        words = sum(len(text.split()) for text in texts) / len(texts)
        sys.stdout.write(
            f"{name}: {len(texts)} distinct reports of {words:.0f} words, {len(questions)} "
            f"questions, {found} findings, {len(texts) / seconds:.0f} reports/s and core\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
