"""The shipped questionnaires: complete, sound, and each question read right from its own words."""

import re

import pytest

from retrieval.questions import ancestors, expand, load_questions, organ_words, roles, steps
from retrieval.rules.phrases import PhraseFinder, longest
from retrieval.rules.reader import RuleReader
from voxcurate.classes import load_vocabulary

QUESTIONS = load_questions()
BY_ID = {item.id: item for item in QUESTIONS}
PRESENCE = [item for item in QUESTIONS if item.kind == "presence"]
_PLAIN = re.compile(r"[\w .'-]+")  # no "*", which stands for an ending that we would have to guess


@pytest.fixture(scope="module")
def reader():
    return RuleReader(QUESTIONS)


def first_phrase(question):
    """What the question looks for, as a thing that may be there: its first plain phrase."""
    words = [word for word in expand(question.phrases) if _PLAIN.fullmatch(word)]
    if words:
        return words[0]
    organ = organ_words(QUESTIONS)[question.organ][0]
    plain = (word for word in expand(question.terms) if _PLAIN.fullmatch(word))
    return f"{next(plain)} in the {organ}"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.id)
def test_is_complete(question):
    assert question.text.endswith("?")
    assert len(question.guidance.split()) >= 6
    assert question.template.endswith("{value}")
    if question.kind in ("size", "list"):
        assert question.of or question.phrases
    vocabulary = load_vocabulary()
    assert [name for name in question.classes if name not in vocabulary] == []


@pytest.mark.parametrize("question", PRESENCE, ids=lambda q: q.id)
def test_reads_its_own_plain_sentences(reader, question):
    thing = first_phrase(question)
    found = {}
    for value, sentence in (("yes", f"There is {thing}."), ("no", f"No {thing}.")):
        said = {f.question: f.value for f in reader.read(sentence)}
        found[value] = said.get(question.id)
    assert found == {"yes": "yes", "no": "no"}, thing


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.id)
def test_no_word_is_hidden_by_an_exclude(question):
    """A phrase that its own question's excludes swallow could never count."""
    finder = PhraseFinder(roles(question))
    hidden = [
        word
        for word, role in roles(question)
        if role in ("phrase", "term", "no", "sign")
        and "*" not in word
        and [m.payload for m in longest(finder.find(word)) if m.payload == "exclude"]
    ]
    assert hidden == []


@pytest.mark.parametrize("question", PRESENCE, ids=lambda q: q.id)
def test_narrower_yes_is_never_a_broader_no(reader, question):
    said = {f.question: f.value for f in reader.read(f"There is {first_phrase(question)}.")}
    assert {n for n in ancestors(QUESTIONS)[question.id] if said.get(n) == "no"} == set()


def test_ids_that_others_rely_on_are_there():
    """Labelled sets, cohorts and queries name these; an id is never renamed."""
    wanted = """
    liver_lesion liver_tumour liver_cyst liver_metastasis liver_hemangioma steatosis cirrhosis
    portal_vein_thrombosis pancreas_lesion pancreas_tumour pancreas_malignancy pancreas_pdac
    pancreas_pnet pancreas_cyst pancreatic_duct_dilated pancreatic_atrophy pancreatitis
    kidney_lesion kidney_tumour kidney_cyst kidney_stone hydronephrosis spleen_lesion splenomegaly
    gallstones cholecystitis gall_bladder_lesion bile_duct_dilated bladder_lesion adrenal_lesion
    colon_tumour stomach_tumour ascites lymphadenopathy peritoneal_carcinomatosis diverticulosis
    diverticulitis appendicitis bowel_obstruction bowel_wall_thickening pneumoperitoneum
    aortic_aneurysm hernia hiatal_hernia uterine_fibroid ovarian_lesion prostate_enlarged
    bone_metastasis fracture cholecystectomy splenectomy nephrectomy whipple hepatectomy
    appendectomy hysterectomy transplant lung_nodule lung_mass ground_glass lung_opacity
    consolidation atelectasis emphysema pulmonary_fibrosis bronchiectasis peribronchial_thickening
    mosaic_attenuation septal_thickening pneumonia pulmonary_edema pulmonary_embolism
    pleural_effusion pleural_thickening pneumothorax cardiomegaly pericardial_effusion
    coronary_calcification arterial_calcification thoracic_lymphadenopathy thoracic_aneurysm
    thyroid_nodule rib_fracture vertebral_fracture medical_device liver_lesion_size
    pancreas_lesion_size pancreatic_duct_size kidney_lesion_size lung_nodule_size
    adrenal_lesion_size pancreas_lesion_location lung_nodule_lobe contrast_phase region
    image_quality pharynx_tumour larynx_tumour parotid_lesion cervical_adenopathy laryngectomy
    neck_dissection
    """
    assert set(wanted.split()) <= BY_ID.keys()


def test_no_word_stands_in_two_roles():
    twice = [
        (question.id, word)
        for question in QUESTIONS
        for word in expand(question.phrases)
        if word in expand(question.excludes) or word in expand(question.says_no)
    ]
    assert twice == []


def test_tree_goes_from_general_to_specific():
    order = {item.id: depth for depth, step in enumerate(steps(QUESTIONS)) for item in step}
    tree = ancestors(QUESTIONS)
    assert order["pancreas_lesion"] == 0
    assert order["pancreas_lesion"] < order["pancreas_tumour"] < order["pancreas_malignancy"]
    assert order["pancreas_malignancy"] < order["pancreas_pdac"]
    assert {"pancreas_lesion", "pancreas_tumour"} <= tree["pancreas_pdac"]
    assert tree["rib_fracture"] == {"fracture"}
    assert tree["ground_glass"] == {"lung_opacity"}
    assert tree["liver_lesion_size"] == {"liver_lesion"}


def test_sizes_and_lists_belong_to_what_they_describe():
    for name in ("liver_lesion", "pancreas_lesion", "kidney_lesion", "lung_nodule"):
        assert BY_ID[f"{name}_size"].kind == "size"
        assert BY_ID[f"{name}_size"].of == name
    assert list(BY_ID["pancreas_lesion_location"].choices) == [
        "head", "uncinate", "neck", "body", "tail"
    ]  # fmt: skip
    assert list(BY_ID["lung_nodule_lobe"].choices) == [
        "right_upper", "right_middle", "right_lower", "left_upper", "left_lower"
    ]  # fmt: skip


def test_indirect_signs_are_those_of_the_paper():
    """ScaleMAI A.1: a dilated duct without a mass, an enhancing lesion, a new nodule in a cyst."""
    signs = {name: {s.yes for s in BY_ID[name].signs} for name in BY_ID if BY_ID[name].signs}
    assert ("pancreatic_duct_dilated",) in signs["pancreas_tumour"]
    assert ("pancreas_hyperenhancing",) in signs["pancreas_pnet"]
    assert ("pancreas_cyst", "pancreas_cyst_nodule") in signs["pancreas_malignancy"]


def test_operations_are_read_in_the_history(reader):
    operations = [item for item in PRESENCE if item.surgery]
    assert len(operations) > 10
    for question in operations:
        said = {
            f.question: f.value
            for f in reader.read(f"HISTORY: Status post {first_phrase(question)}.")
        }
        assert said.get(question.id) == "yes", question.id


LOOK_ALIKES = [
    ("No mass effect.", "liver_tumour", None),
    ("The cystic duct is normal.", "liver_cyst", None),
    ("Mass effect on the pancreas.", "pancreas_tumour", None),
    ("Subcutaneous emphysema.", "emphysema", None),
    ("Emphysematous cholecystitis.", "emphysema", None),
    ("Pericardial effusion.", "pleural_effusion", None),
    ("Knee joint effusion.", "pleural_effusion", None),
    ("Disc herniation at L4-L5.", "hernia", None),
    ("Hiatal hernia.", "hernia", None),
    ("Duodenal diverticulum.", "diverticulosis", None),
    ("Mediastinal lymphadenopathy.", "lymphadenopathy", None),
    ("Retroperitoneal lymphadenopathy.", "thoracic_lymphadenopathy", None),
    ("Splenic artery aneurysm.", "aortic_aneurysm", None),
    ("Lymphangitic carcinomatosis.", "peritoneal_carcinomatosis", None),
    ("Hepatic fibrosis.", "pulmonary_fibrosis", None),
    ("Coronary artery calcification.", "arterial_calcification", None),
    ("Aortic valve calcification.", "arterial_calcification", None),
    ("Bone marrow transplant.", "transplant", None),
    ("Periportal oedema.", "pulmonary_edema", None),
    ("Heart size is normal.", "cardiomegaly", "no"),
    ("The lungs are clear.", "lung_opacity", "no"),
    ("Nonobstructive bowel gas pattern.", "bowel_obstruction", "no"),
    ("The portal vein is patent.", "portal_vein_thrombosis", "no"),
    ("Vertebral corpus heights are preserved.", "vertebral_fracture", "no"),
    ("Double duct sign.", "pancreas_tumour", "uncertain"),
    ("Peripancreatic fat stranding.", "pancreatitis", "uncertain"),
    ("The pancreatic duct is dilated to 9 mm.", "pancreas_tumour", "uncertain"),
    ("Hyperenhancing 3 mm lesion at the tail of the pancreas.", "pancreas_pnet", "uncertain"),
    (
        "Cyst in the tail of the pancreas, now with a new nodular component.",
        "pancreas_malignancy",
        "uncertain",
    ),
    ("Wall calcifications in the coronary vessels.", "coronary_calcification", "yes"),
    ("Old fracture lines in the left sixth rib.", "rib_fracture", "yes"),
    ("Aneurysmal dilatation of the ascending aorta.", "thoracic_aneurysm", "yes"),
    ("Aneurysmal dilatation of the ascending aorta.", "aortic_aneurysm", "yes"),
    ("No pleural or pericardial effusion.", "pleural_effusion", "no"),
    ("No pleural or pericardial effusion.", "pericardial_effusion", "no"),
    ("Sliding type hiatal hernia was observed.", "hiatal_hernia", "yes"),
    ("Mosaic attenuation pattern in both lungs.", "mosaic_attenuation", "yes"),
    ("Calcific atheroma plaques in the coronary arteries.", "coronary_calcification", "yes"),
    ("Pleuroparenchymal sequelae changes in both apices.", "pulmonary_fibrosis", "yes"),
    ("Pericardial effusion-thickening was not observed.", "pericardial_effusion", "no"),
]


@pytest.mark.parametrize(("text", "question", "value"), LOOK_ALIKES)
def test_look_alikes_and_set_phrases(reader, text, question, value):
    said = {f.question: f.value for f in reader.read(text)}
    assert said.get(question) == value
