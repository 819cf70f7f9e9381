"""A questionnaire of plain lists, as somebody writes it from the guide, on translated reports."""

import pytest

from retrieval.questions import Question
from retrieval.rules.reader import RuleReader
from voxcurate.config import build

LISTS = {
    "device": ["catheter", "pacemaker", "stent", "sternal wires"],
    "arterial_calcification": ["aortic calcification", "calcified plaque in the aorta"],
    "cardiomegaly": ["cardiomegaly", "enlarged heart", "increased heart size"],
    "pericardial_effusion": ["pericardial effusion"],
    "coronary_calcification": ["coronary calcification", "coronary artery calcification"],
    "hiatal_hernia": ["hiatal hernia"],
    "lymphadenopathy": ["lymphadenopathy", "enlarged lymph node", "pathological lymph node"],
    "emphysema": ["emphysema"],
    "atelectasis": ["atelectasis"],
    "lung_nodule": ["lung nodule", "pulmonary nodule"],
    "lung_opacity": ["ground glass opacity", "consolidation", "infiltrate"],
    "fibrosis": ["pulmonary fibrosis", "fibrotic sequela"],
    "pleural_effusion": ["pleural effusion"],
    "mosaic": ["mosaic attenuation"],
    "peribronchial_thickening": ["peribronchial thickening"],
    "bronchiectasis": ["bronchiectasis"],
    "septal_thickening": ["interlobular septal thickening"],
    "bile_duct_dilated": ["dilated bile duct", "biliary dilatation"],
    "kidney_stone": ["renal stone"],
    "liver_cyst": ["hepatic cyst"],
}
READER = RuleReader(
    build(Question, {"id": name, "text": name, "phrases": words}) for name, words in LISTS.items()
)

CASES = [
    ("The heart size has increased.", {"cardiomegaly": "yes"}),
    ("Heart size increased.", {"cardiomegaly": "yes"}),
    ("The heart is enlarged.", {"cardiomegaly": "yes"}),
    ("Calcified plaques are observed in the thoracic aorta.", {"arterial_calcification": "yes"}),
    (
        "Calcification in the walls of the aorta and coronary arteries.",
        {"arterial_calcification": "yes", "coronary_calcification": "yes"},
    ),
    ("The coronary arteries are calcified.", {"coronary_calcification": "yes"}),
    ("Coronary artery calcifications.", {"coronary_calcification": "yes"}),
    ("Minimal effusion is observed in the pericardial space.", {"pericardial_effusion": "yes"}),
    ("Pericardial effusion-thickening was not observed.", {"pericardial_effusion": "no"}),
    (
        "Pericardial and pleural effusion were not detected.",
        {"pericardial_effusion": "no", "pleural_effusion": "no"},
    ),
    ("Sliding type hiatus hernia is seen.", {"hiatal_hernia": "yes"}),
    (
        "No lymph node with pathological size and appearance was detected in the mediastinum.",
        {"lymphadenopathy": "no"},
    ),
    (
        "Lymph nodes enlarged up to 15 mm are observed in the hilar region.",
        {"lymphadenopathy": "yes"},
    ),
    ("No enlarged mediastinal lymph nodes.", {"lymphadenopathy": "no"}),
    ("Paraseptal emphysematous changes in the upper lobes.", {"emphysema": "yes"}),
    ("Linear atelectatic changes in the lingula.", {"atelectasis": "yes"}),
    ("Nodules with a diameter of 5 mm are observed in both lungs.", {"lung_nodule": "yes"}),
    ("There is a 6 mm nodule in the right lower lobe.", {"lung_nodule": "yes"}),
    (
        "No nodular or infiltrative lesion was detected in both lung parenchyma.",
        {"lung_nodule": None},
    ),
    ("A hypodense nodule is observed in the thyroid gland.", {"lung_nodule": None}),
    ("Areas of consolidation and ground glass density.", {"lung_opacity": "yes"}),
    ("Sequela fibrotic changes in the apex of both lungs.", {"fibrosis": "yes"}),
    (
        "Effusion reaching 2 cm in thickness between the pleural leaves on the right.",
        {"pleural_effusion": "yes"},
    ),
    ("Bilateral pleural effusions.", {"pleural_effusion": "yes"}),
    ("Mosaic pattern of attenuation in both lungs.", {"mosaic": "yes"}),
    ("Peribronchial wall thickening is observed.", {"peribronchial_thickening": "yes"}),
    ("Bronchiectatic changes in the middle lobe.", {"bronchiectasis": "yes"}),
    ("Thickening of the interlobular septa is noted.", {"septal_thickening": "yes"}),
    ("Interlobular septal thickenings.", {"septal_thickening": "yes"}),
    ("Septal and interlobular thickening.", {"septal_thickening": "yes"}),
    ("The bile ducts are dilated.", {"bile_duct_dilated": "yes"}),
    ("The bile ducts are not dilated.", {"bile_duct_dilated": "no"}),
    ("No dilatation of the bile ducts.", {"bile_duct_dilated": "no"}),
    ("Stones in both kidneys.", {"kidney_stone": "yes"}),
    ("Hepatic and renal cysts.", {"liver_cyst": "yes"}),
    ("A cyst in the left kidney. The liver is normal.", {"liver_cyst": None}),
    ("The catheter tip is in the right atrium.", {"device": "yes"}),
    ("Sliding type hernia at the hiatus.", {"hiatal_hernia": "yes"}),
    ("The bronchial walls are thickened.", {"peribronchial_thickening": "yes"}),
    ("Cardiothoracic index increased.", {"cardiomegaly": "yes"}),
    ("Subcutaneous emphysema on the left.", {"emphysema": None}),
    ("Subcarinal lymph node of 14 mm in short axis.", {"lymphadenopathy": "yes"}),
    ("As far as can be seen, there is a pericardial effusion.", {"pericardial_effusion": "yes"}),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_plain_lists_are_enough(text, wanted):
    found = {f.question: f.value for f in READER.read(text)}
    assert {question: found.get(question) for question in wanted} == wanted
