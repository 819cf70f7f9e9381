"""The reader over a function that stands for a model: steps, proof, retries, cost."""

import pickle

import pytest

from retrieval.llm.config import LLMConfig
from retrieval.llm.reader import EMPTY, LLMReader
from retrieval.llm.results import NOT_ASKED, IncompleteReadingError
from retrieval.questions import load_questions
from tests.retrieval.llm.engines import (
    DOWN,
    FENCE,
    QUESTIONS,
    SILENT,
    FunctionEngine,
    by_report,
    names_asked,
    yes,
)
from voxcurate.protocols import ReportReader

MASS = "FINDINGS: There is a 2.1 cm hypodense mass in the pancreatic head. The kidneys are normal."
CLEAR = "FINDINGS: The pancreas is unremarkable. Simple cyst of the left kidney."
PLAIN = "FINDINGS: Clear lungs."
TABLE = {
    MASS: {
        "pancreas_lesion": yes("2.1 cm hypodense mass in the pancreatic head"),
        "pancreas_tumour": yes("hypodense mass in the pancreatic head", "uncertain"),
        "pancreas_lesion_size": yes("2.1 cm hypodense mass", 21, numbers=[21]),
        "pancreas_lesion_location": yes("mass in the pancreatic head", ["head"]),
        "kidney_cyst": yes("The kidneys are normal", "no"),
    },
    CLEAR: {
        "pancreas_lesion": yes("The pancreas is unremarkable.", "no"),
        "kidney_cyst": yes("Simple cyst of the left kidney", side="left"),
        "cyst_kind": yes("Simple cyst", "simple"),
    },
    PLAIN: {},
}


def answers(findings):
    return {f.question: f for f in findings}


def test_reads_step_by_step_in_batches():
    engine = by_report(TABLE)
    reader = LLMReader(engine, QUESTIONS)
    assert isinstance(reader, ReportReader)
    mass, clear, plain = reader.read_batch([MASS, CLEAR, PLAIN])
    assert engine.batches == [3, 1, 1]  # all reports; those with a lesion; those with a cyst
    asked = [names_asked(item) for item in engine.asked]
    assert asked[:3] == [["pancreas_lesion", "kidney_cyst"]] * 3
    assert asked[3:] == [
        ["pancreas_tumour", "pancreas_lesion_size", "pancreas_lesion_location"],
        ["cyst_kind"],
    ]
    assert plain == []
    found = answers(mass)
    assert list(found) == [q.id for q in QUESTIONS if q.id in found]
    assert found["pancreas_tumour"].value == "uncertain"
    size = found["pancreas_lesion_size"]
    assert (size.value, size.number, size.numbers, size.unit) == ("number", 21, (21,), "mm")
    assert found["pancreas_lesion_location"].items == ("head",)
    assert found["kidney_cyst"].value == "no"
    cyst = answers(clear)
    assert cyst["kidney_cyst"].side == "left"
    assert (cyst["cyst_kind"].value, cyst["cyst_kind"].choice) == ("choice", "simple")
    assert all(f.supported for f in (*mass, *clear))


def test_finding_points_at_its_proof():
    (finding, *_) = LLMReader(by_report(TABLE), QUESTIONS).read(MASS)
    assert MASS[slice(*finding.span)] == finding.sentence
    assert finding.sentence == "2.1 cm hypodense mass in the pancreatic head"
    assert finding.section == "findings"
    assert finding.rule == "llm: so it says"


def test_a_broader_no_or_silence_or_failure_asks_nothing_narrower():
    table = {MASS: {"pancreas_lesion": yes("kidneys are normal", "no")}, PLAIN: {}}
    engine = by_report(table)
    LLMReader(engine, QUESTIONS).read_batch([MASS, PLAIN])
    assert engine.batches == [2]


def test_uncertain_broader_answer_asks_on():
    table = {MASS: {**TABLE[MASS], "pancreas_lesion": yes("hypodense mass", "uncertain")}}
    engine = by_report(table)
    LLMReader(engine, QUESTIONS).read(MASS)
    assert len(engine.batches) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (yes("a 5 cm mass in the pancreatic tail"), "not in the report"),
        (yes(""), "no quote"),
        (yes("The kidneys are normal."), "does not speak of it"),
    ],
)
def test_unproved_answer_is_kept_but_not_supported(answer, why):
    engine = by_report({MASS: {"pancreas_lesion": answer}})
    found = answers(LLMReader(engine, QUESTIONS).read(MASS))["pancreas_lesion"]
    assert (found.value, found.supported) == ("yes", False)
    assert found.confidence < 0.5
    assert (found.sentence, found.span) == ("", (0, 0))
    assert why in found.rule


def test_size_must_stand_in_its_quote():
    said = {**TABLE[MASS], "pancreas_lesion_size": yes("hypodense mass in the pancreatic head", 21)}
    found = answers(LLMReader(by_report({MASS: said}), QUESTIONS).read(MASS))
    assert not found["pancreas_lesion_size"].supported
    assert "number" in found["pancreas_lesion_size"].rule


def test_misquote_is_asked_for_once_more_and_mended():
    def answer(report, names, conversation):
        if "kidney_cyst" not in names:
            return dict.fromkeys(names, SILENT)
        quote = "A mass in the pancreas" if len(conversation) == 1 else "hypodense mass in the"
        return {"pancreas_lesion": yes(quote), "kidney_cyst": SILENT}

    engine = FunctionEngine(answer)
    found = answers(LLMReader(engine, QUESTIONS).read(MASS))
    assert found["pancreas_lesion"].supported
    first, second, _ = engine.asked
    assert [m.role for m in second] == ["user", "assistant", "user"]
    assert second[0] == first[0]
    assert "pancreas_lesion" in second[2].text
    assert "A mass in the pancreas" in second[1].text


def test_misquote_that_stays_is_no_failure():
    engine = by_report({MASS: {"pancreas_lesion": yes("never written")}})
    (reading,) = LLMReader(engine, QUESTIONS).read_all([MASS])
    assert not reading.failed
    assert len(engine.batches) == 3  # asked, asked again once, the narrower questions
    once = by_report({MASS: {"pancreas_lesion": yes("never written")}})
    LLMReader(once, QUESTIONS, config=LLMConfig(requote=False)).read(MASS)
    assert len(once.batches) == 2


BAD = {
    "refused": "I am sorry, I cannot help with that.",
    "truncated": '{"pancreas_lesion": {"justification": "a mass", "evidence": "2.1',
    "other": '{"diagnosis": "mass"}',
    "value": {"pancreas_lesion": {"value": "perhaps"}, "kidney_cyst": SILENT},
    "missing": {"kidney_cyst": SILENT},
    "list": "[]",
    "empty": "",
}


@pytest.mark.parametrize("kind", list(BAD))
def test_bad_reply_is_asked_for_again_with_the_problem_named(kind):
    def answer(report, names, conversation):
        return TABLE[report] if "cannot be used" in conversation[-1].text else BAD[kind]

    engine = FunctionEngine(answer)
    found = answers(LLMReader(engine, QUESTIONS[:1] + QUESTIONS[4:5]).read(MASS))
    assert found["pancreas_lesion"].supported
    assert len(engine.asked) == 2
    said = engine.asked[1][-1].text
    assert {"value": "yes", "missing": "missing", "other": "none of"}.get(kind, "JSON") in said


@pytest.mark.parametrize("kind", list(BAD))
def test_reply_that_stays_bad_fails_that_report_alone(kind):
    engine = FunctionEngine(
        lambda report, names, _: BAD[kind] if report == MASS else dict.fromkeys(names, SILENT)
    )
    reader = LLMReader(engine, QUESTIONS, config=LLMConfig(retries=2))
    bad, good = reader.read_batch([MASS, PLAIN])
    assert good == []
    assert isinstance(bad, IncompleteReadingError)
    assert engine.batches == [2, 1, 1]
    assert "pancreas_lesion" in bad.reading.failed
    assert "step 1, request " in str(bad)
    assert "2.1 cm" not in str(bad)
    assert str(pickle.loads(pickle.dumps(bad))) == str(bad)  # noqa: S301 - our own
    with pytest.raises(IncompleteReadingError):
        reader.read(MASS)


def test_one_bad_answer_spoils_no_other():
    def answer(report, names, _):
        return {**TABLE[report], "kidney_cyst": {"value": "perhaps"}}

    (reading,) = LLMReader(FunctionEngine(answer), QUESTIONS).read_all([MASS])
    assert list(reading.failed) == ["kidney_cyst", "cyst_kind"]
    assert answers(reading.findings)["pancreas_lesion_size"].number == 21
    assert reading.error.startswith("kidney_cyst: value: ")
    assert reading.error.endswith(f"]: kidney_cyst; {NOT_ASKED}: cyst_kind")


def test_no_reply_is_not_asked_for_again():
    engine = FunctionEngine(lambda *_: DOWN)
    reader = LLMReader(engine, QUESTIONS)
    found = reader.read_all([MASS, CLEAR])
    assert engine.batches == [2]
    assert all("APIConnectionError" in reading.error for reading in found)
    assert set(found[0].failed) == {q.id for q in QUESTIONS}
    assert found[0].failed["cyst_kind"] == NOT_ASKED
    assert found[0].error.startswith("no reply from the server: APIConnectionError [step 1, ")
    assert found[0].error.endswith(f"]: all {len(QUESTIONS)} questions")


def test_empty_report_is_never_asked():
    engine = by_report(TABLE)
    empty, good = LLMReader(engine, QUESTIONS).read_all([" \n", CLEAR])
    assert EMPTY in empty.error
    assert good.findings
    assert engine.batches[0] == 1


def test_equal_texts_are_read_once():
    engine = by_report(TABLE)
    first, other, second = LLMReader(engine, QUESTIONS).read_all([MASS, CLEAR, MASS])
    assert engine.batches[0] == 2
    assert first == second
    assert first != other
    assert LLMReader(engine, QUESTIONS).read_all([]) == []


def test_cost_is_known_per_report_and_in_all():
    reader = LLMReader(by_report(TABLE), QUESTIONS, price_in=2.0, price_out=5.0)
    mass, clear, plain = reader.read_all([MASS, CLEAR, PLAIN])
    assert [r.usage.requests for r in (mass, clear, plain)] == [2, 2, 1]
    assert reader.usage == mass.usage + clear.usage + plain.usage
    assert (reader.usage.tokens_in, reader.usage.tokens_out) == (500, 50)
    assert reader.usage.seconds == pytest.approx(2.5)
    assert plain.usage.price == pytest.approx((100 * 2.0 + 10 * 5.0) / 1e6)


def test_version_tells_model_and_questions_apart():
    engine = by_report(TABLE)
    base = LLMReader(engine, QUESTIONS, model="folder/m").version
    assert base == LLMReader(engine, QUESTIONS, model="folder/m").version
    assert "function-m" in base
    assert base != LLMReader(engine, QUESTIONS[:3], model="folder/m").version
    assert base != LLMReader(engine, QUESTIONS, model="n").version
    assert base != LLMReader(engine, QUESTIONS, model="other/m").version
    assert base != LLMReader(engine, QUESTIONS, model="folder/m", sampling={"a": 1}).version


def test_shipped_questionnaire_is_asked_in_groups_with_one_prefix_each():
    questions = load_questions()
    said = {"liver_lesion": yes("liver")}
    engine = FunctionEngine(lambda _, names, __: {n: said.get(n, SILENT) for n in names})
    texts = [f"FINDINGS: The liver holds cyst number {n}." for n in range(3)]
    found = LLMReader(engine, questions, config=LLMConfig(group=10)).read_all(texts)
    assert not any(reading.failed for reading in found)
    asked = [names_asked(item) for item in engine.asked]
    assert all(len(names) <= 10 for names in asked)
    prefixes = {}
    for names, conversation in zip(asked, engine.asked, strict=True):
        text = conversation[0].text
        prefixes.setdefault(tuple(names), set()).add(text[: FENCE.search(text).start()])
    assert all(len(group) == 1 for group in prefixes.values())
    first = {name for names in prefixes for name in names}
    narrower = {q.id for q in questions if "liver_lesion" in (*q.asked_when, q.of)}
    assert narrower <= first
    assert not {q.id for q in questions if "kidney_lesion" in (*q.asked_when, q.of)} & first
