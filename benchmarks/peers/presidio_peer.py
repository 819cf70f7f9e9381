"""Presidio's analyzer with its shipped English recognisers, run in an environment of its own.

In: JSON ``{"texts": [...]}``. Out: JSON ``{"seconds": ..., "hits": [[[kind, start, end], ...],
...]}``.
spaCy is a trained model where one is installed (en_core_web_lg, _md, _sm), else a blank one, which
finds no names.
"""

import json
import sys
import time
from typing import Any

_KINDS = {
    "PERSON": "NAME", "DATE_TIME": "DATE", "PHONE_NUMBER": "PHONE", "EMAIL_ADDRESS": "EMAIL",
    "URL": "URL", "LOCATION": "ADDRESS", "IP_ADDRESS": "IP",
}  # fmt: skip


def _analyzer() -> Any:
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine

    installed = [
        m
        for m in ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
        if spacy.util.is_package(m)
    ]

    class Engine(SpacyNlpEngine):  # type: ignore[misc]
        def load(self) -> None:
            self.nlp = {"en": spacy.load(installed[0]) if installed else spacy.blank("en")}

    assert NlpArtifacts
    engine = Engine()
    engine.load()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


def main() -> int:
    """Read, analyse, write."""
    texts = json.load(sys.stdin)["texts"]
    analyzer = _analyzer()
    start = time.perf_counter()
    found = [analyzer.analyze(text=text, language="en") for text in texts]
    seconds = time.perf_counter() - start
    hits = [[[_KINDS.get(r.entity_type, "ID"), r.start, r.end] for r in one] for one in found]
    json.dump({"seconds": seconds, "hits": hits}, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
