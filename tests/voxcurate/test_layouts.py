"""Layouts recognised from names alone, and guesses at others."""

import pytest

from voxcurate.classes import load_vocabulary
from voxcurate.layouts import common_pattern, named_like_mask, recognise, stem
from voxcurate.sources import TODO, Pattern

VOCABULARY = load_vocabulary()
CASES = [f"BDMAP_0000000{n}" for n in range(1, 4)]


def found(files, **options):
    files = sorted(files)
    masks = {path for path in files if named_like_mask(path)}
    return recognise(files, VOCABULARY, masks=masks, **options)


def atlas(scan="", mask="", names=("liver", "aorta")):
    return [f"{scan}{c}/ct.nii.gz" for c in CASES] + [
        f"{mask}{c}/segmentations/{n}.nii.gz" for c in CASES for n in names
    ]


@pytest.mark.parametrize(
    ("scan", "mask"),
    [("", ""), ("TrainingSet/", "TrainingSet/"), ("ImageTr/", "LabelTr/"), ("a/b/", "a/c/")],
)
def test_a_folder_per_case_with_segmentations(scan, mask):
    layout = found(atlas(scan, mask))
    assert layout.kind == "cases"
    assert layout.data["scans"] == scan + "{case}/ct.nii.gz"
    assert layout.data["masks"] == [{"path": mask + "{case}/segmentations/{class}.nii.gz"}]


def test_several_parts_of_an_atlas_are_one_source():
    layout = found(atlas("one/", "one/") + atlas("two/", "two/"))
    assert layout.data["scans"] == "{part}/{case}/ct.nii.gz"


def test_class_names_that_nobody_knows_are_left_open():
    layout = found(atlas(names=("liver", "Right Kidney", "wibble")))
    assert layout.data["masks"][0]["classes"] == {"wibble": TODO}


def nnunet(scan="_0000", ending=".nii.gz"):
    return [
        "dataset.json",
        f"imagesTr/a{scan}{ending}",
        f"labelsTr/a{ending}",
        f"imagesTs/b{scan}{ending}",
    ]


def test_nnunet_raw():
    data = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "what": 2, "ignore": 3},
        "name": "Task",
    }
    layout = found(nnunet(), dataset_json=data)
    assert (layout.kind, layout.name) == ("nnunet", "Task")
    assert layout.data == {
        "scans": "images{part}/{case}_0000.nii.gz",
        "masks": [
            {
                "path": "labels{part}/{case}.nii.gz",
                "labels": {1: "liver", 2: TODO, 3: "ignore"},
            }
        ],
        "modality": "CT",
    }


def test_nnunet_regions_give_a_value_several_classes():
    labels = {"background": 0, "liver": [1, 2], "liver_tumor": 2}
    layout = found(nnunet(), dataset_json={"channel_names": {"0": "CT"}, "labels": labels})
    assert layout.data["masks"][0]["labels"] == {1: "liver", 2: ["liver", "liver_tumor"]}


def test_the_decathlon():
    data = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "licence": "CC-BY-SA 4.0",
    }
    layout = found(nnunet(scan=""), dataset_json=data)
    assert layout.kind == "msd"
    assert layout.data["scans"] == "images{part}/{case}.nii.gz"
    assert layout.data["modality"] == "MR"
    assert layout.data["licence"] == "CC-BY-SA 4.0"
    assert layout.data["masks"][0]["labels"] == {
        1: "anterior_hippocampus",
        2: "posterior_hippocampus",
    }


@pytest.mark.parametrize(
    ("name", "modality"),
    [("CT", "CT"), ("T1w", "MR"), ("MRI", "MR"), ("zscore", TODO), ("PET", TODO)],
)
def test_the_modality_is_taken_from_the_channel_or_asked_for(name, modality):
    layout = found(nnunet(), dataset_json={"channel_names": {"0": name}, "labels": {"liver": 1}})
    assert layout.data["modality"] == modality


def test_dicom_comes_before_stray_volumes():
    layout = found(["a/IM001.dcm", "b/label.nii.gz"], has_dicom=True)
    assert layout.kind == "dicom"
    assert layout.data["layout"] == "dicom"


@pytest.mark.parametrize(
    ("files", "pattern", "patient"),
    [
        (["a.nii.gz", "b.nii.gz"], "{case}.nii.gz", "{case}"),
        (["x/a_ct.nrrd", "x/b_ct.nrrd"], "x/{case}_ct.nrrd", "{case}"),
        (["p/1.mha", "q/2.mha"], "{folder}/{case}.mha", "{folder}"),
        (["p/ct.nii", "q/ct.nii"], "{case}/ct.nii", "{case}"),
        (["p/scan.nii"], "{case}/scan.nii", "{case}"),
    ],
)
def test_bare_scans(files, pattern, patient):
    layout = found(files)
    assert layout.kind == "scans"
    assert layout.data["scans"] == pattern
    assert layout.data["patient"] == patient
    assert all(Pattern(pattern).match(path) for path in files)


@pytest.mark.parametrize(
    ("scans", "masks"),
    [
        ("{case}/ct.nii.gz", "{case}/organs.nii.gz"),
        ("{case}/CT_image.nii.gz", "{case}/CT_mask.nii.gz"),
        ("images/{case}.nii.gz", "labels/{case}.nii.gz"),
        ("img/img{case}.nii.gz", "label/label{case}.nii.gz"),
    ],
)
@pytest.mark.parametrize("n", [3, 40])
def test_a_guess_links_scans_and_label_maps(scans, masks, n):
    names = [f"{number:04d}" for number in range(1, 10 * n, 10)]
    layout = found([p.format(case=name) for p in (scans, masks) for name in names])
    assert layout.kind == "guess"
    assert layout.data["scans"] == scans
    assert [mask["path"] for mask in layout.data["masks"]] == [masks]
    assert layout.data["masks"][0]["labels"] == TODO


def test_nothing_to_see():
    assert found(["README.md", "a/b.csv"]) is None


@pytest.mark.parametrize(
    ("path", "is_mask"),
    [
        ("a/ct.nii.gz", False),
        ("a/organs.nii.gz", True),
        ("labelsTr/a.nii.gz", True),
        ("x/CT_mask.nii.gz", True),
        ("x/ctSeg.nii.gz", True),
        ("x/segmental_bronchus.nii.gz", False),
        ("x/hologram.nii.gz", False),
    ],
)
def test_names_that_say_mask(path, is_mask):
    assert named_like_mask(path) is is_mask


def test_stem_knows_double_suffixes():
    assert stem("a/b.c.nii.gz") == "b.c"
    assert stem("a/b.txt") == "b"


def test_unlike_paths_have_no_common_pattern():
    assert common_pattern(["a.nii.gz", "b/c.nii.gz"]) is None
    assert common_pattern(["a.nii.gz", "b.nrrd"]) is None
