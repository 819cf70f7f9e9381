"""``docs/questionnaires.md`` keeps its word: its examples load and read as it says."""

import re
from pathlib import Path

import pytest

from retrieval.questions import load_questions, organ_words, read_questions, terms
from retrieval.rules.reader import RuleReader
from retrieval.schema import Question

GUIDE = (Path(__file__).parents[2] / "docs" / "questionnaires.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.S)
CHEST = next(block for block in BLOCKS if block.startswith("# chest5.yaml"))
ROWS = re.findall(r"^\| (.+?) \| (.+?) \|$", GUIDE.split(CHEST)[1].split("\n## ")[0], re.M)[1:]


@pytest.fixture
def read(tmp_path):
    def read_block(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return read_questions(path)

    return read_block


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.split(":")[0][-30:])
def test_every_example_is_a_questionnaire(read, block):
    assert read(block)


@pytest.mark.parametrize(("report", "answers"), ROWS)
def test_the_worked_example_reads_as_told(read, report, answers):
    said = {f.question: f.value for f in RuleReader(read(CHEST)).read(report)}
    assert said == dict(answer.split() for answer in answers.split(", "))


THYROID = next(block for block in BLOCKS if block.startswith("thyroid_nodule:"))


@pytest.mark.parametrize(
    ("report", "value"),
    [
        ("Thyroid nodule.", "yes"),
        ("There is a nodule in the left lobe of the thyroid.", "yes"),
        ("Thyroid: 8 mm nodule.", "yes"),
        ("The thyroid is heterogeneous. There is an 8 mm nodule.", "yes"),
        ("Pulmonary nodules. The thyroid is normal.", None),
    ],
)
def test_terms_count_where_they_speak_of_the_organ(read, report, value):
    said = {f.question: f.value for f in RuleReader(read(THYROID)).read(report)}
    assert said.get("thyroid_nodule") == value


@pytest.mark.parametrize(
    ("phrase", "report"),
    [
        ("ground glass", "Ground-glass change."),
        ("ground glass", "Areas of ground\nglass."),
        ("tumour", "Tumors are seen."),
        ("oedema", "There is edema."),
        ("haemangioma", "Two hemangiomas."),
        ("dilatation", "Mild dilation."),
        ("metastas*", "Metastases. "),
        ("consolidation", "Consoldation on the left."),
        ("pleural effusion", "Effusion in the left pleural space."),
        ("pleural effusion", "Pleural thickening or effusion."),
        ("pulmonary nodule", "Nodules in both lower lobes."),
        ("thrombus ~ portal vein", "Thrombus within the main portal vein."),
    ],
)
def test_variants_are_matched(read, phrase, report):
    reader = RuleReader(read(f"q: {{text: x, phrases: [{phrase}]}}"))
    assert [f.value for f in reader.read(report)] == ["yes"]


def test_words_match_whole(read):
    assert RuleReader(read("q: {text: x, phrases: rib}")).read("A ribbon.") == []


SIMPLE = re.findall(r"^\| (.+?) \| (yes|no|uncertain|none) \|$", GUIDE, re.M)


@pytest.mark.parametrize(("reports", "value"), SIMPLE)
def test_the_table_of_contexts_is_true(read, reports, value):
    reader = RuleReader(read("nodule: {text: A nodule?, phrases: nodule}"))
    for report in re.split(
        r"(?<=[.?]) (?=[A-Z])", reports.replace("Indication: n", "INDICATION: N")
    ):
        said = {f.question: f.value for f in reader.read(report)}
        assert said.get("nodule", "none") == value, report


def test_every_field_is_explained():
    table = GUIDE.split("## The fields")[1].split("### ")[0]
    assert [
        name for name in Question.model_fields if name != "id" and f"`{name}`" not in table
    ] == []


def test_organs_and_groups_it_names_are_there():
    organs = re.search(r"Organs are known by their ids: `([^`]+)`", GUIDE)
    assert organs is not None
    assert set(organs.group(1).split()) <= set(organ_words(load_questions()))
    groups = re.search(r"Shipped are (.+?) and", GUIDE, re.S)
    assert groups is not None
    assert {name[1:] for name in re.findall(r"@\w+", groups.group(1))} <= set(terms()["groups"])


def test_every_shipped_question_is_listed():
    listed = set(re.findall(r"`(\w+)`", GUIDE.split("## Shipped questions")[1]))
    assert {item.id for item in load_questions()} <= listed
