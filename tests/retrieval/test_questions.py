"""Question files: what may stand in them, what is refused and in which words, answers in words."""

import pytest

from retrieval.questions import (
    Question,
    ancestors,
    expand,
    load_questions,
    organ_words,
    read_questions,
    render,
    roles,
    steps,
    terms,
)
from retrieval.rules.reader import RuleReader
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.protocols import Finding


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def read(path):
    return {item.id: item for item in read_questions(path)}


def answers(questions, report):
    return {f.question: f.value for f in RuleReader(questions).read(report)}


# --- a user's file ---
def test_three_lines_make_a_question(write):
    path = write("wet_belly: {text: A wet belly?, phrases: wet belly}\n")
    questions = read_questions(path)
    assert answers(questions, "There is a wet belly.") == {"wet_belly": "yes"}
    assert answers(questions, "No wet belly.") == {"wet_belly": "no"}
    assert answers(questions, "The belly is dry.") == {}


def test_a_users_question_replaces_the_shipped_one_or_comes_last(write):
    path = write("ascites: {text: x, phrases: wet belly}\nown: {text: x, phrases: own}\n")
    shipped = [item.id for item in load_questions()]
    merged = load_questions(path)
    assert [item.id for item in merged] == [*shipped, "own"]
    assert next(i for i in merged if i.id == "ascites").phrases == ("wet belly",)


def test_read_questions_are_the_files_alone(write):
    assert set(read(write("own: {text: x, phrases: own}"))) == {"own"}


def test_groups_and_organs_of_a_file(write):
    path = write(
        """
groups:
  bad: [shadow, "@worse"]
  worse: [blob]
  stone: [gravel, "@stone"]
organs:
  thymus: [thymus, thymic]
thymic_shadow: {text: x, organ: thymus, terms: ["@bad"], phrases: ["@stone"]}
"""
    )
    question = read(path)["thymic_shadow"]
    assert question.terms == ("shadow", "blob")
    assert question.phrases == ("gravel", "@stone")  # its own, then the shipped group of the name
    assert question.organ_words == ("thymus", "thymic")
    assert set(terms()["groups"]["stone"]) < set(expand(question.phrases))
    assert organ_words([question])["thymus"] == ("thymus", "thymic")
    assert organ_words([question])["liver"] == tuple(terms()["organs"]["liver"])


def test_organ_words_go_on_after_the_shipped(write):
    path = write("q: {text: x, organ: liver, organ_words: foie, terms: lump}")
    assert organ_words(read_questions(path))["liver"][-1] == "foie"


def test_organs_of_shipped_files_may_be_used(write):
    path = write("stent: {text: x, organ: coronary, terms: stent}")
    assert "left anterior descending" in organ_words(read_questions(path))["coronary"]


def test_like_takes_another_questions_words_and_adds(write):
    path = write(
        """
lung_nodule: {like: lung_nodule, phrases: [coin shadow]}
coin: {like: lung_nodule, text: A coin?, normal: false}
"""
    )
    shipped = next(item for item in load_questions() if item.id == "lung_nodule")
    found = read(path)
    assert found["lung_nodule"].phrases == (*shipped.phrases, "coin shadow")
    assert found["lung_nodule"].guidance == shipped.guidance
    assert found["coin"].phrases == found["lung_nodule"].phrases  # the file's own comes first
    assert (found["coin"].text, found["coin"].normal, shipped.normal) == ("A coin?", False, True)


def test_like_adds_words_to_choices(write):
    path = write("region: {like: region, choices: {head: schedel, foot: foot}}")
    found = read(path)["region"].choices
    assert found["head"][-1] == "schedel"
    assert found["foot"] == ("foot",)
    assert "chest" in found


def test_like_leaves_out_questions_that_are_not_asked(write):
    path = write("pancreas_tumour: {like: pancreas_tumour}")
    found = read(path)["pancreas_tumour"]
    assert found.asked_when == ()
    assert found.signs == ()


def test_one_word_does_for_a_list(write):
    path = write("a: {text: x, phrases: p}\nb: {text: x, phrases: p, signs: [{yes: a}]}")
    assert read(path)["b"].signs[0].yes == ("a",)


def test_yes_and_no_are_words(write):
    path = write("a: {text: x, phrases: [yes, no, off]}")
    assert read(path)["a"].phrases == ("yes", "no", "off")


# --- what is refused ---
BAD = {
    "a: {text: x, phrases: p, phrase: q}": r"mine.yaml: question a: .*'phrase'.*mean 'phrases'",
    "a: {text: x, phrases: p, colour: 1}": r"question a: no field 'colour'$",
    "a: {text: x}": r"mine.yaml: question a: .*`terms`, `phrases`, `of` or `signs`",
    "a: {phrases: p}": r"question a: text: .*required",
    "a: [p]": r"question a: want fields .*found list",
    "a:": r"question a: want fields .*found NoneType",
    "A b: {text: x, phrases: p}": r"question A b: id: .*small letters",
    "a: {text: x, terms: p}": r"question a: .*`terms` belong to an `organ`",
    "a: {text: x, organ: lungs, terms: p}": r"no organ 'lungs'; did you mean 'lung'.*known are.*"
    "`organ_words`",
    'a: {text: x, phrases: "@lesionn"}': r"`phrases`: no group '@lesionn'; did you mean 'lesion'",
    "a: {text: x, phrases: p, asked_when: b}": r"question a: `asked_when` names no question: 'b'",
    "a: {text: x, phrases: p, asked_when: ascites}": r"add `ascites: {like: ascites}`",
    "a: {text: x, phrases: p, signs: [{yes: zz}]}": r"question a: `signs` names no question: 'zz'",
    "a: {text: x, phrases: p, signs: [{}]}": r"question a: signs.0.yes: .*required",
    "a: {text: x, kind: size}": r"question a: .*want `terms`, `phrases`",
    "a: {text: x, kind: size, of: liver}": r"question a: `of` names no question: 'liver'",
    "a: {text: x, kind: choice}": r"a choice question wants `choices`",
    "a: {text: x, kind: list, phrases: p}": r"a list question wants `choices`",
    "a: {text: x, phrases: p, choices: {b: c}}": r"`choices` want `kind: choice`",
    "a: {text: x, kind: colour, phrases: p}": r"question a: kind: .*'presence'.*got 'colour'",
    "a: {text: x, kind: choice, choices: {b: c}, covers: {d: b}}": r"`covers` names no choice: d",
    "a: {text: x, phrases: p, unit: ml}": r"`unit` wants `kind: number`, not presence",
    "a: {text: x, phrases: [3]}": r"question a: phrases.0: .*string, got 3",
    'a: {text: x, phrases: "*"}': r"question a: phrases: .*does not begin with a letter",
    "a: {text: x, phrases: fracture of * rib}": r"'fracture of \* rib': \* ends a word",
    "a: {text: x, phrases: fracture ~}": r"'fracture ~': .* ~ stands between two",
    "a: {text: x, phrases: '~ rib'}": r"does not begin with a letter",
    "a: {text: x, phrases: p, template: yes}": r"`template` wants {value} once, found 'yes'",
    "a: {text: x, phrases: p, template: '{size}'}": r"`template` wants {value} once",
    "a: {text: x, phrases: p}\na: {text: y, phrases: q}": r"mine.yaml: 'a' stands twice",
    "a: {text: x, phrases: p, phrases: q}": r"mine.yaml: 'phrases' stands twice",
    "a: {like: lung_nodul}": r"question a: `like: lung_nodul`: no such .*mean 'lung_nodule'",
    "a: {like: b}\nb: {like: a}": r"question a: `like: a`: in a circle",
    "a: {like: a}": r"question a: `like: a`: no such question",
    "lung_nodule_size: {like: lung_nodule_size}": r"`of` names no question.*{like: lung_nodule}",
    "groups: [p]\na: {text: x, phrases: p}": r"mine.yaml: `groups` wants names with lists of words",
    "organs: {thymus: thymus}": r"mine.yaml: `organs` wants names with lists of words",
    "[1, 2]": r"mine.yaml: want a mapping",
    "a: {text: x": r"mine.yaml is not YAML",
    "s: {text: x, kind: number, phrases: p}\na: {text: x, phrases: p, asked_when: s}": (
        r"`asked_when` wants a presence question, s is a number"
    ),
    "a: {text: x, phrases: p, asked_when: b}\nb: {text: x, phrases: p, asked_when: a}": (
        r"in a circle: a -> b -> a"
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_named(write, text):
    with pytest.raises(ConfigError, match=BAD[text]):
        read_questions(write(text))


def test_two_files_must_not_share_an_id(write):
    first = write("a: {text: x, phrases: p}", "first.yaml")
    second = write("a: {text: x, phrases: q}", "second.yaml")
    with pytest.raises(ConfigError, match=r"second.yaml: question a: first.yaml has one"):
        read_questions(first, second)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file: gone.yaml"):
        read_questions(tmp_path / "gone.yaml")


# --- the tree ---
TREE = """
tumour: {text: x, phrases: tumour}
malignant: {text: x, phrases: cancer, asked_when: tumour}
size: {text: x, kind: size, of: malignant}
apart: {text: x, phrases: apart}
"""


def test_broader_questions_come_first(write):
    questions = read_questions(write(TREE))
    found = [[item.id for item in step] for step in steps(questions)]
    assert found == [["tumour", "apart"], ["malignant"], ["size"]]
    assert steps(reversed(questions))[0][0].id == "apart"  # in the order given within a step


def test_ancestors_are_all_broader_questions(write):
    found = ancestors(read_questions(write(TREE)))
    assert found == {
        "tumour": frozenset(),
        "apart": frozenset(),
        "malignant": {"tumour"},
        "size": {"tumour", "malignant"},
    }


def test_roles_say_what_words_are_for():
    fields = {"text": "x", "organ": "liver", "terms": ["@stone"], "phrases": ["grit"]}
    question = build(Question, {"id": "q", **fields, "excludes": ["no grit"], "says_no": ["clean"]})
    found = dict(roles(question))
    assert found["grit"] == "phrase"
    assert found["no grit"] == "exclude"
    assert found["clean"] == "no"
    assert found["stone"] == "term"


# --- answers in words ---
def question(**fields):
    return build(Question, {"id": "liver_cyst", "text": "?", "phrases": ["p"], **fields})


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (Finding("liver_cyst", "yes"), "cyst: yes"),
        (Finding("liver_cyst", "no"), "cyst: no"),
        (Finding("liver_cyst", "yes", side="both", change="new"), "cyst: yes (both sides, new)"),
        (Finding("liver_cyst", "number", number=21.0, unit="mm"), "cyst: 21 mm"),
        (
            Finding("liver_cyst", "number", number=21.5, unit="mm", numbers=(21.5, 8.0)),
            "cyst: 21.5 mm (the largest of 21.5, 8)",
        ),
        (Finding("liver_cyst", "number", number=3.0), "cyst: 3"),
        (Finding("liver_cyst", "choice", choice="portal_venous"), "cyst: portal venous"),
        (Finding("liver_cyst", "list", items=("head", "right_upper")), "cyst: head, right upper"),
        (Finding("liver_cyst", "list"), "cyst: none"),
    ],
)
def test_template_is_filled_in(finding, words):
    assert render(question(template="cyst: {value}"), finding) == words


def test_without_a_template_the_id_does():
    assert render(question(), Finding("liver_cyst", "uncertain")) == "liver cyst: uncertain"


def test_answer_to_another_question_is_refused():
    with pytest.raises(ValueError, match="liver_cyst"):
        render(question(), Finding("ascites", "yes"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "want at least one question"),
        ("a: {text: t, phrases: [no nodule]}", "'no nodule' denies"),
        ("a: {text: t, phrases: [x], normal: true}", "`normal`"),
        ("a: {text: t, organ: lung, terms: [@lesion]}", "line 1: .* quote words"),
        ("a:\n  text: t\n   phrases: [x]", "line 3"),
    ],
)
def test_common_slips_in_a_file_are_named(tmp_path, text, wanted):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=wanted) as caught:
        read_questions(path)
    assert "Value error" not in str(caught.value)
