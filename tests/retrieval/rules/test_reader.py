"""The rule reader on whole reports and single sentences."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.questions import Question, load_questions
from retrieval.rules.reader import RuleReader
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.protocols import ReportReader

REPORT = """HISTORY: Pancreatic cancer, status post cholecystectomy. Rule out liver metastasis.
TECHNIQUE: 5 mm images in the portal venous phase.
FINDINGS:
Liver: There is a 2.1 x 1.8 cm (previously 3 cm) cyst in segment 7. No biliary dilatation.
Spleen: Normal.
Pancreas: There is a mass in the head. It measures 3.4 x 2.8 cm, suspicious for malignancy.
No change in the left renal cyst. No hydronephrosis.
IMPRESSION: 1. Pancreatic mass.
2. No ascites.
"""


SHIPPED = RuleReader()


def answers(report, *, questions=None):
    reader = SHIPPED if questions is None else RuleReader(questions)
    return {f.question: f for f in reader.read(report)}


def test_reader_conforms():
    reader = RuleReader()
    assert isinstance(reader, ReportReader)
    assert reader.name == "rules"
    assert reader.version
    found = reader.read(REPORT)
    order = [question.id for question in load_questions()]
    assert found
    assert [f.question for f in found] == sorted((f.question for f in found), key=order.index)
    for finding in found:
        piece = REPORT[slice(*finding.span)]
        assert " ".join(piece.split()) == finding.sentence != ""
        assert 0 < finding.confidence <= 1
        assert finding.rule
        assert (finding.number is not None) == (finding.value == "number")
    assert reader.read("") == []


def test_rules_read_the_report():
    found = answers(REPORT)
    said = {k: f.choice or f.number or f.value for k, f in found.items()}
    wanted = {
        "liver_cyst": "yes",
        "liver_lesion_size": 21.0,
        "bile_duct_dilated": "no",
        "spleen_lesion": "no",
        "pancreas_tumour": "yes",
        "pancreas_malignancy": "uncertain",
        "pancreas_lesion_size": 34.0,
        "kidney_cyst": "yes",
        "hydronephrosis": "no",
        "ascites": "no",
        "cholecystectomy": "yes",
        "contrast_phase": "portal_venous",
    }
    assert {k: said.get(k) for k in wanted} == wanted
    assert "liver_metastasis" not in said  # only to be ruled out
    assert found["liver_lesion_size"].section == "findings"


@pytest.mark.parametrize(
    ("text", "question", "value"),
    [
        ("Hepatic cyst and renal stones.", "kidney_stone", "yes"),
        ("Hepatic cyst and renal stones.", "kidney_cyst", None),
        ("Liver, spleen and pancreas are unremarkable.", "pancreas_lesion", "no"),
        ("The liver is otherwise unremarkable.", "liver_lesion", "no"),
        ("The liver is normal in size.", "liver_lesion", None),
        ("The liver is enlarged. There is a 2 cm mass.", "liver_tumour", "yes"),
        ("No mass in the liver, spleen or kidneys.", "kidney_tumour", "no"),
        ("Colonic mass at the splenic flexure.", "spleen_lesion", None),
        ("The gallbladder is surgically absent.", "cholecystectomy", "yes"),
        ("No new liver lesion.", "liver_lesion", None),
        ("Mother had pancreatic cancer.", "pancreas_malignancy", None),
        ("Multiple gallstones.", "gallstones", "yes"),
        ("Gallbladder: No stones.", "gallstones", "no"),
        ("Gallstones: no.", "gallstones", "no"),
        ("No hydronephrosis or stone.", "kidney_stone", "no"),
        ("The abdominal aorta is of normal calibre.", "aortic_aneurysm", "no"),
        ("Pancreas normal in size, duct of normal calibre.", "pancreatic_duct_dilated", "no"),
        ("No pancreatic mass or ductal dilatation.", "pancreatic_duct_dilated", "no"),
        ("No ductal dilatation.", "bile_duct_dilated", "no"),
    ],
)
def test_rules_on_one_sentence(text, question, value):
    found = answers(text).get(question)
    assert (found.value if found else None) == value


def test_yes_in_one_sentence_beats_no_in_another():
    assert answers("No ascites. Small amount of ascites.")["ascites"].value == "yes"


def test_size_of_the_organ_is_not_the_lesions():
    assert "liver_lesion_size" not in answers("The liver measures 18 cm and holds a cyst.")
    assert (
        answers("The liver measures 18 cm. Hepatic cyst of 2 cm.")["liver_lesion_size"].number == 20
    )


def test_size_after_the_place_of_the_lesion():
    found = answers("A mass in the head of the pancreas measuring 36 x 26 mm.")
    assert found["pancreas_lesion_size"].number == 36


@pytest.mark.parametrize(
    ("text", "question", "side"),
    [
        ("Left renal cyst.", "kidney_lesion", "left"),
        ("Cysts in both kidneys.", "kidney_lesion", "both"),
        ("Left renal cyst. Right renal cyst.", "kidney_lesion", "both"),
        ("Right pleural effusion, left pneumothorax.", "pleural_effusion", "right"),
        (
            "Atelectasis in the middle lobe of the right lung and the lingula of the left lung.",
            "atelectasis",
            "both",
        ),
        ("Left renal cyst and right renal stone.", "kidney_stone", "right"),
    ],
)
def test_side(text, question, side):
    assert answers(text)[question].side == side


@pytest.mark.parametrize(
    ("text", "question", "change"),
    [
        ("New right pleural effusion.", "pleural_effusion", "new"),
        ("The pancreatic cyst has increased in size.", "pancreas_cyst", "larger"),
        ("Interval decrease in the ascites.", "ascites", "smaller"),
        ("The lung nodule is unchanged.", "lung_nodule", "same"),
        ("No significant change in the renal cyst.", "kidney_cyst", "same"),
        ("No increase in size of the liver cyst.", "liver_cyst", "same"),
        ("A liver cyst.", "liver_cyst", ""),
    ],
)
def test_change(text, question, change):
    assert answers(text)[question].change == change


def test_rule_and_mentions_tell_what_decided():
    found = answers("FINDINGS: No ascites. Renal cyst.\nIMPRESSION: Renal cyst.")
    assert found["ascites"].rule == "negated: no"
    assert found["kidney_cyst"].rule == "affirmed"
    assert len(found["kidney_cyst"].mentions) == 1
    assert found["kidney_lesion"].rule == "affirmed"
    doubtful = answers("A pancreatic mass cannot be excluded.")["pancreas_tumour"]
    assert doubtful.rule == "uncertain: cannot be excluded"


def test_duct_dilatation_without_a_lesion_is_a_sign():
    found = answers("The main pancreatic duct is dilated up to 7 mm.")
    assert found["pancreas_tumour"].value == "uncertain"
    assert found["pancreas_tumour"].rule.startswith("sign: ")
    assert found["pancreas_tumour"].sentence == found["pancreatic_duct_dilated"].sentence
    assert "pancreas_tumour" not in answers("No pancreatic duct dilatation.")


def test_one_size_per_lesion_largest_first():
    found = answers("A 5 mm nodule in the right upper lobe and an 8 mm nodule in the lingula.")
    assert found["lung_nodule_size"].numbers == (8.0, 5.0)
    assert set(found["lung_nodule_lobe"].items) == {"right_upper", "left_upper"}


def test_numbers_in_a_unit_and_counts():
    density = build(
        Question, {"id": "hu", "text": "x", "kind": "number", "unit": "HU", "phrases": ["nodule"]}
    )
    count = build(Question, {"id": "n", "text": "x", "kind": "number", "phrases": ["nodule"]})
    found = answers("Two nodules are seen. The nodule has 12 HU.", questions=[density, count])
    assert (found["hu"].number, found["hu"].unit) == (12, "HU")
    assert found["n"].number == 2


def test_new_question_is_a_few_lines():
    mine = build(Question, {"id": "hernia", "phrases": ["hernia"], "text": "A hernia?"})
    assert answers("No hernia.", questions=[mine])["hernia"].value == "no"


@pytest.mark.parametrize(
    "fields", [{}, {"kind": "choice"}, {"terms": ["cyst"]}, {"phrases": ["x"], "colour": 1}]
)
def test_unanswerable_question_is_refused(fields):
    with pytest.raises(ConfigError):
        build(Question, {"id": "q", "text": "?", **fields})


def test_user_file_adds_and_replaces(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "ascites: {phrases: [wet belly], text: x}\nhernia: {phrases: [hernia], text: x}"
    )
    found = {q.id: q for q in load_questions(path)}
    assert found["ascites"].phrases == ("wet belly",)
    assert "hernia" in found
    path.write_text("size: {kind: size, of: nothing, text: x}")
    with pytest.raises(ConfigError, match="nothing"):
        load_questions(path)


def test_version_follows_the_questions():
    assert RuleReader().version == RuleReader().version
    assert RuleReader().version != RuleReader(load_questions()[:3]).version


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(REPORT.split()), max_size=40))
def test_any_words_are_read_without_harm(words):
    report = " ".join(words)
    for finding in SHIPPED.read(report):
        assert " ".join(report[slice(*finding.span)].split()) == finding.sentence
