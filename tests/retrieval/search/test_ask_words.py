"""Questions in plain words and the queries that they are understood as."""

import pytest

from retrieval.search.ask import ask
from retrieval.search.query import CohortQuery
from voxcurate.config import build


def q(question, **more):
    return {"question": question, **more}


PDAC = {"all_of": [q("pancreas_malignancy")]}
TABLE = [
    ("liver lesions or kidney stones", {"any_of": [q("liver_lesion"), q("kidney_stone")]}),
    ("liver cysts, kidney cysts or ascites",
     {"any_of": [q("liver_cyst"), q("kidney_cyst"), q("ascites")]}),
    ("liver cysts and kidney cysts", {"all_of": [q("liver_cyst"), q("kidney_cyst")]}),
    ("liver tumours over 2 cm or kidney tumours over 3 cm",
     {"either": [{"all_of": [q("liver_tumour"), q("liver_lesion_size", above=20)]},
                 {"all_of": [q("kidney_tumour"), q("kidney_lesion_size", above=30)]}]}),
    ("pancreatic mass under 2 cm",
     {"all_of": [q("pancreas_tumour"), q("pancreas_lesion_size", below=20)]}),
    ("malignant pancreatic tumours", {"all_of": [q("pancreas_malignancy")]}),
    ("lung nodules 5 to 10 mm",
     {"all_of": [q("lung_nodule"), q("lung_nodule_size", at_least=5, at_most=10)]}),
    ("adrenal nodules of at least 1 cm",
     {"all_of": [q("adrenal_lesion"), q("adrenal_lesion_size", at_least=10)]}),
    ("scans without ascites", {"all_of": [q("ascites", value="no")]}),
    ("no ascites or pleural effusion",
     {"all_of": [q("ascites", value="no"), q("pleural_effusion", value="no")]}),
    ("liver lesions excluding liver cysts",
     {"all_of": [q("liver_lesion")], "none_of": [q("liver_cyst", or_uncertain=True)]}),
    ("possible pancreatic malignancy", {"all_of": [q("pancreas_malignancy", or_uncertain=True)]}),
    ("new lung nodules", {"all_of": [q("lung_nodule", change=["new"])]}),
    ("growing pancreatic cysts", {"all_of": [q("pancreas_cyst", change=["larger"])]}),
    ("enlarging liver metastases", {"all_of": [q("liver_metastasis", change=["larger"])]}),
    ("shrinking liver metastases", {"all_of": [q("liver_metastasis", change=["smaller"])]}),
    ("stable lung nodules", {"all_of": [q("lung_nodule", change=["same"])]}),
    ("left kidney stones", {"all_of": [q("kidney_stone", side="left")]}),
    (
        "cyst in the pancreatic tail",
        {"all_of": [q("pancreas_cyst"), q("pancreas_lesion_location", choice=("tail",))]},
    ),
    (
        "lung nodule in the right upper lobe",
        {
            "all_of": [
                q("lung_nodule", side="right"),
                q("lung_nodule_lobe", choice=("right_upper",)),
            ]
        },
    ),
    ("a stone of the left kidney", {"all_of": [q("kidney_stone", side="left")]}),
    ("kidney stones on the right side", {"all_of": [q("kidney_stone", side="right")]}),
    ("bilateral pleural effusions", {"all_of": [q("pleural_effusion", side="both")]}),
    ("right kidney tumours under 4 cm in men",
     {"all_of": [q("kidney_tumour", side="right"), q("kidney_lesion_size", below=40)], "sex": "M"}),
    ("pre-diagnostic scans of pancreatic cancer", {"before": PDAC}),
    ("scans before the diagnosis of pancreatic cancer", {"before": PDAC}),
    ("CTs prior to pancreatic cancer", {"before": PDAC, "modality": ["CT"]}),
    ("scans before the first report of liver metastases within 180 days",
     {"before": {"all_of": [q("liver_metastasis")], "within_days": 180}}),
    ("scans within 6 months before pancreatic cancer", {"before": {**PDAC, "within_days": 183}}),
    ("scans after the diagnosis of liver metastases",
     {"after": {"all_of": [q("liver_metastasis")]}}),
    ("scans between pancreatitis and pancreatic cancer",
     {"after": {"all_of": [q("pancreatitis")]}, "before": PDAC}),
    ("scans before splenectomy", {"before": {"all_of": [q("splenectomy")]}}),
    ("after splenectomy", {"all_of": [q("splenectomy")]}),
    ("status post whipple", {"all_of": [q("whipple")]}),
    ("after cholecystectomy, no gallstones",
     {"all_of": [q("cholecystectomy"), q("gallstones", value="no")]}),
    ("first scan per patient with emphysema",
     {"all_of": [q("emphysema")], "per_patient": "first"}),
    ("first scan that shows a pancreatic tumour",
     {"all_of": [q("pancreas_tumour")], "per_patient": "first"}),
    ("last scan of each patient", {"per_patient": "last"}),
    ("most recent CT of each patient", {"per_patient": "last"}),
    ("the first 20 scans with hydronephrosis", {"all_of": [q("hydronephrosis")], "limit": 20}),
    ("liver lesions, largest first", {"all_of": [q("liver_lesion")], "order": "largest"}),
    ("gallstones, latest first", {"all_of": [q("gallstones")], "order": "latest"}),
    ("women over 50 with gallstones",
     {"all_of": [q("gallstones")], "sex": "F", "age_at_least": 50}),
    ("men between 40 and 60 years", {"sex": "M", "age_at_least": 40, "age_at_most": 60}),
    ("patients aged 65 or older", {"age_at_least": 65}),
    ("CT with 1 mm slices",
     {"modality": ["CT"], "slice_mm_at_least": 1, "slice_mm_at_most": 1}),
    ("lung nodules, slice thickness under 2 mm",
     {"all_of": [q("lung_nodule")], "slice_mm_at_most": 2}),
    ("thin slices", {"slice_mm_at_most": 1.5}),
    ("slices over 3 mm", {"slice_mm_at_least": 3}),
    ("emphysema on Siemens scanners", {"all_of": [q("emphysema")], "scanner": ["siemens"]}),
    ("pneumonia since 2015", {"all_of": [q("pneumonia")], "year_at_least": 2015}),
    ("pneumonia in 2015",
     {"all_of": [q("pneumonia")], "year_at_least": 2015, "year_at_most": 2015}),
    ("pancreatic cancer in the test set", {**PDAC, "split": ["test"]}),
    ("arterial or portal venous phase",
     {"all_of": [q("contrast_phase", choice=["arterial", "portal_venous"])]}),
    ('"hyperenhancing lesion" in women', {"phrases": ["hyperenhancing lesion"], "sex": "F"}),
    ("scans from s with gallstones", {"all_of": [q("gallstones")], "source": ["s"]}),
    ("pleural effusion or pneumothorax in children",
     {"any_of": [q("pleural_effusion"), q("pneumothorax")], "age_at_most": 17}),
    ("all scans", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), TABLE, ids=[text for text, _ in TABLE])
def test_words(text, wanted):
    asked = ask(text, sources=["s"])
    assert asked.not_understood == ()
    assert asked.query == build(CohortQuery, wanted)


def test_the_flagship_question():
    asked = ask(
        "portal-venous CTs of patients over 50 with a malignant pancreatic tumour under 2 cm,"
        " earliest scan first"
    )
    assert asked.not_understood == ()
    assert asked.query == build(
        CohortQuery,
        {
            "all_of": [
                q("pancreas_malignancy"),
                q("pancreas_lesion_size", below=20),
                q("contrast_phase", choice=["portal_venous"]),
            ],
            "age_at_least": 50,
            "modality": ["CT"],
            "order": "earliest",
        },
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("horses", ("horses",)),
        ("liver lesions before zebras", ("zebras",)),
        ("kidney stones larger than 5 mm", ("5",)),
        ("purple liver lesions", ("purple",)),
    ],
)
def test_what_is_not_understood_is_said(text, left):
    assert ask(text).not_understood == left


def test_how_words_were_used_is_told():
    used = dict(ask("first scan per patient with new lung nodules").used)
    assert used["lung nodules"] == "lung nodule: yes, new"
    assert "first" in used["first scan per patient"]
