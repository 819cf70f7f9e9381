"""What other tools write, in every form, against one truth."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ellipsoid, oblique_affine
from voxcurate.case_files import CaseFiles, find_cases
from voxcurate.classes import load_vocabulary
from voxcurate.errors import GeometryError, PredictionError, VolumeReadError
from voxcurate.predictions import (
    Prediction,
    axes_reversed,
    open_prediction,
    probability_box,
    write_prediction,
)
from voxcurate.ready_predictions import (
    Grid,
    read_class_files,
    read_joint_file,
    read_prediction,
)
from voxcurate.volume import Volume

SHAPE = (11, 9, 7)
AFFINE = oblique_affine()
GRID = Grid(SHAPE, AFFINE)
LIVER = ellipsoid(SHAPE, (4, 4, 3), (3, 3, 2))
SPLEEN = ellipsoid(SHAPE, (9, 6, 4), (1.5, 2, 2))
TRUTH = {"liver": LIVER, "spleen": SPLEEN}
LABELS = LIVER + 2 * SPLEEN


def soft(mask, seed=0):
    """Probabilities in 256 steps, above 1/2 inside."""
    steps = np.random.default_rng(seed).integers(0, 120, SHAPE)
    return np.where(mask, 255 - steps, steps // 4) / 255


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.asarray(array), affine)
    image.set_sform(affine, 1)
    nibabel.save(image, path)
    return path


def full(classes, name, shape=SHAPE):
    out = np.zeros(shape, np.uint8)
    out[classes[name].box] = classes[name].array
    return out


def turned(array, affine, axes, flips):
    """An array stored in another order and direction of axes; the same place in the world."""
    change = np.zeros((4, 4))
    change[3, 3] = 1
    for new, old in enumerate(axes):
        change[old, new] = -1 if flips[new] else 1
        change[old, 3] = array.shape[old] - 1 if flips[new] else 0
    moved = array.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    return np.ascontiguousarray(moved), affine @ change


FORMS = {
    "mask": lambda m: m.astype(np.uint8),
    "255": lambda m: (m * 255).astype(np.uint8),
    "int16": lambda m: m.astype(np.int16),
    "float": lambda m: m.astype(np.float32),
    "float64": lambda m: m.astype(np.float64),
    "float 255": lambda m: (m * 255).astype(np.float32),
}


@pytest.mark.parametrize("form", FORMS)
def test_hard_files_of_every_type_are_the_mask(tmp_path, form):
    files = {c: save(tmp_path / f"{c}.nii.gz", FORMS[form](m)) for c, m in TRUTH.items()}
    classes, grid = read_class_files(files)
    assert grid.shape == SHAPE
    for c, m in TRUTH.items():
        np.testing.assert_array_equal(full(classes, c), m * 255)


@pytest.mark.parametrize("stored", ["float32", "float64", "bytes", "float bytes", "scaled"])
def test_soft_files_of_every_type_are_the_probabilities(tmp_path, stored):
    p = soft(LIVER)
    path = tmp_path / "liver.nii.gz"
    if stored == "scaled":
        image = nibabel.Nifti1Image(np.rint(p * 255).astype(np.uint8), AFFINE)
        image.header.set_slope_inter(1 / 255, 0)
        nibabel.save(image, path)
    else:
        as_bytes = np.rint(p * 255).astype(np.uint8 if stored == "bytes" else np.float32)
        save(path, p.astype(stored) if stored.startswith("float6") or stored == "float32"
             else as_bytes)  # fmt: skip
    classes, _ = read_class_files({"liver": path})
    np.testing.assert_array_equal(full(classes, "liver"), np.rint(p * 255))


@settings(max_examples=30)
@given(
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    how=st.sampled_from(["files", "map", "channels"]),
)
def test_axes_in_any_order_and_direction_are_turned_to_the_scan(tmp_path_factory, axes, flips, how):
    folder = tmp_path_factory.mktemp("turned")
    if how == "files":
        files = {c: save(folder / f"{c}.nii.gz", *turned(m.astype(np.uint8), AFFINE, axes, flips))
                 for c, m in TRUTH.items()}  # fmt: skip
        classes, grid = read_class_files(files, grid=GRID)
    else:
        labels, affine = turned(LABELS.astype(np.uint8), AFFINE, axes, flips)
        if how == "channels":
            labels = np.stack([labels == n for n in range(3)], -1).astype(np.float32)
        path = save(folder / "case.nii.gz", labels, affine)
        classes, grid = read_joint_file(path, {1: "liver", 2: "spleen"}, grid=GRID)
    assert grid is GRID
    for c, m in TRUTH.items():
        np.testing.assert_array_equal(full(classes, c), m * 255)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_other_formats(tmp_path, suffix):
    import SimpleITK

    image = SimpleITK.GetImageFromArray(LIVER.astype(np.uint8).T)
    lps = np.diag([-1.0, -1, 1, 1]) @ AFFINE
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(tmp_path / f"liver{suffix}"))
    classes, _ = read_class_files({"liver": tmp_path / f"liver{suffix}"}, grid=GRID)
    np.testing.assert_array_equal(full(classes, "liver"), LIVER * 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_label_maps(tmp_path, dtype):
    path = save(tmp_path / "case.nii.gz", (LABELS * 3).astype(dtype))
    names = {3: "liver", 6: "spleen", 9: "aorta"}
    classes, _ = read_joint_file(path, names, grid=GRID)
    assert list(classes) == ["liver", "spleen", "aorta"]
    assert not classes["aorta"].array.size
    for c, m in TRUTH.items():
        np.testing.assert_array_equal(full(classes, c), m * 255)
    joined, _ = read_joint_file(path, {3: "abdomen", 6: "abdomen"})
    np.testing.assert_array_equal(full(joined, "abdomen"), (LIVER | SPLEEN) * 255)
    plain, _ = read_joint_file(path, {})
    assert list(plain) == ["3", "6"]
    left_out, _ = read_joint_file(path, {3: "liver", 6: ""})
    assert list(left_out) == ["liver"]
    with pytest.raises(PredictionError, match="does not name: 6"):
        read_joint_file(path, {3: "liver"})
    assert list(read_joint_file(path, {3: "liver"}, strict=False)[0]) == ["liver"]


@pytest.mark.parametrize("background", [True, False])
def test_channels_with_and_without_background(tmp_path, background):
    p = {c: soft(m, n) for n, (c, m) in enumerate(TRUTH.items())}
    rows = [p["liver"], p["spleen"]]
    rows = [1 - rows[0] - rows[1], *rows] if background else rows
    path = save(tmp_path / "case.nii.gz", np.clip(np.stack(rows, -1), 0, 1).astype(np.float32))
    classes, _ = read_joint_file(path, {1: "liver", 2: "spleen"}, grid=GRID)
    for c in TRUTH:
        np.testing.assert_array_equal(full(classes, c), np.rint(p[c] * 255))
    vector = tmp_path / "vector.nii.gz"  # ITK's way: a fourth axis of 1
    save(vector, np.stack(rows, -1)[:, :, :, None].clip(0, 1).astype(np.float32))
    again, _ = read_joint_file(vector, {1: "liver", 2: "spleen"}, grid=GRID)
    np.testing.assert_array_equal(again["liver"].array, classes["liver"].array)


def test_npz_of_nnunet(tmp_path):
    rows = np.stack([1.0 - LABELS.clip(0, 1), LIVER, SPLEEN]).astype(np.float16)
    for name in ("probabilities", "softmax"):
        path = tmp_path / f"{name}.npz"
        np.savez_compressed(path, **{name: rows.transpose(0, 3, 2, 1)})
        classes, _ = read_joint_file(path, {1: "liver", 2: "spleen"}, grid=GRID)
        for c, m in TRUTH.items():
            np.testing.assert_array_equal(full(classes, c), m * 255)
    with pytest.raises(GeometryError, match="needs its scan"):
        read_joint_file(path, {1: "liver"})
    with pytest.raises(GeometryError, match="shape"):
        read_joint_file(path, {1: "liver"}, grid=Grid(SHAPE[::-1], AFFINE))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VolumeReadError, match="cannot be read"):
        read_joint_file(path, {1: "liver"}, grid=GRID)


def test_what_predict_wrote_counts_with_its_probabilities_until_a_mask_is_changed(tmp_path):
    p = soft(LIVER)
    folder = tmp_path / "model" / "case"
    mask = save(folder / "liver.nii.gz", LIVER.astype(np.uint8))
    made = Prediction({"liver": probability_box(p)}, SHAPE, AFFINE, "m", False)
    write_prediction(folder / "prediction.vxp", made)
    (folder / "made.json").write_text("{}")
    files = find_cases(tmp_path / "model", load_vocabulary())["case"]
    found = read_prediction(files, "m", grid=GRID)
    np.testing.assert_array_equal(found.full("liver"), np.rint(p * 255))
    other = Grid(SHAPE, AFFINE @ np.diag([1, 1, 1.5, 1]))
    with pytest.raises(GeometryError, match="class liver: it lies"):
        read_prediction(files, "m", grid=other)
    later = (folder / "made.json").stat().st_mtime_ns + 10**9
    import os

    os.utime(mask, ns=(later, later))
    files = find_cases(tmp_path / "model", load_vocabulary())["case"]
    np.testing.assert_array_equal(read_prediction(files, "m").full("liver"), LIVER * 255)


def test_ones_beside_soft_values_are_next_to_nothing(tmp_path):
    files = {
        "liver": save(tmp_path / "liver.nii.gz", np.rint(soft(LIVER) * 255).astype(np.uint8)),
        "spleen": save(tmp_path / "spleen.nii.gz", SPLEEN.astype(np.uint8)),
    }
    classes, _ = read_class_files(files)
    assert classes["spleen"].array.max() == 1
    assert read_class_files(files, values="mask")[0]["spleen"].array.max() == 255


BAD = {
    "logits": (np.linspace(-5, 9, LIVER.size).reshape(SHAPE), "found -5 to 9"),
    "fractions above 1": (LIVER * 3.7, "found 0 to 3.7"),
    "a label as mask": (LIVER.astype(np.uint8) * 5, "5 alone"),
    "large labels": (LIVER.astype(np.int16) * 300, "found 0 to 300"),
    "NaN": (np.where(LIVER, np.nan, 0).astype(np.float32), "NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_prediction_is_refused_and_named(tmp_path, name):
    array, why = BAD[name]
    path = save(tmp_path / "liver.nii.gz", array)
    with pytest.raises((PredictionError, VolumeReadError), match=f"class liver: .*{why}"):
        read_class_files({"liver": path})


def test_a_grid_that_differs_is_refused_with_both(tmp_path):
    moved = AFFINE.copy()
    moved[0, 3] += 4
    wrong = {
        "want the scan's shape": save(tmp_path / "a.nii.gz", LIVER[1:].astype(np.uint8)),
        "4 mm away from the scan": save(tmp_path / "b.nii.gz", LIVER.astype(np.uint8), moved),
    }
    for why, path in wrong.items():
        with pytest.raises(GeometryError, match=f"class liver: .*{why}"):
            read_class_files({"liver": path}, grid=GRID)
        with pytest.raises(GeometryError, match="label map"):
            read_joint_file(path, {1: "liver"}, grid=GRID)
    files = {"liver": save(tmp_path / "c.nii.gz", LIVER.astype(np.uint8)),
             "spleen": wrong["4 mm away from the scan"]}  # fmt: skip
    with pytest.raises(GeometryError, match="class spleen: it lies 4 mm away from class liver"):
        read_class_files(files)


def test_rubbish(tmp_path):
    path = tmp_path / "liver.nii.gz"
    path.write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(VolumeReadError, match="class liver"):
        read_class_files({"liver": path})
    with pytest.raises(VolumeReadError, match="label map"):
        read_joint_file(path, {1: "liver"})
    save(path, np.stack([LIVER, SPLEEN], -1).astype(np.float32))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(VolumeReadError):
        read_joint_file(path, {1: "liver"})
    save(path, np.stack([LIVER, SPLEEN], -1).astype(np.float32))
    with pytest.raises(PredictionError, match="none of its 2 channels"):
        read_joint_file(path, {7: "liver"})
    with pytest.raises(VolumeReadError, match="no class"):
        read_prediction(CaseFiles("case"), "m")


def test_reversed_axes_are_views_and_twice_is_once(tmp_path):
    path = tmp_path / "case.vxp"
    write_prediction(path, Prediction({"liver": probability_box(soft(LIVER))}, SHAPE, AFFINE,
                                      "m", False))  # fmt: skip
    one = open_prediction(path)
    two = axes_reversed(one)
    assert two.shape == SHAPE[::-1]
    np.testing.assert_array_equal(two.full("liver"), one.full("liver").T)
    index = np.array([3, 1, 2, 1])
    np.testing.assert_allclose(two.affine @ index[[2, 1, 0, 3]], one.affine @ index)
    back = axes_reversed(two)
    np.testing.assert_array_equal(back.full("liver"), one.full("liver"))
    np.testing.assert_array_equal(back.affine, one.affine)


def test_the_grid_of_a_volume():
    grid = Grid.of(Volume(LABELS, AFFINE))
    assert grid.shape == SHAPE
    assert grid.owner == "the scan"


def test_a_channel_of_ones_beside_soft_ones_is_next_to_nothing(tmp_path):
    p = np.rint(soft(LIVER) * 255).astype(np.uint8)
    next_to_nothing = SPLEEN.astype(np.uint8)
    names = {1: "liver", 2: "spleen"}
    rows = np.stack([255 - p, p, next_to_nothing], -1)
    path = save(tmp_path / "case.nii.gz", rows)
    assert read_joint_file(path, names)[0]["spleen"].array.max() == 1
    alone, _ = read_joint_file(path, {2: "spleen"})  # the others are not wanted, but tell
    assert alone["spleen"].array.max() == 1
    as_mask, _ = read_joint_file(path, names, values="mask")
    np.testing.assert_array_equal(full(as_mask, "spleen"), SPLEEN * 255)
    one_hot = np.stack([~(LIVER | SPLEEN), LIVER, SPLEEN], -1).astype(np.uint8)
    hot = save(tmp_path / "hot.nii.gz", one_hot)
    np.testing.assert_array_equal(full(read_joint_file(hot, names)[0], "spleen"), SPLEEN * 255)
    faint, _ = read_joint_file(hot, names, values="probabilities")
    assert faint["spleen"].array.max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_of_the_same_name_are_added(tmp_path, dtype):
    p, q = np.rint(soft(LIVER) * 255), np.rint(soft(SPLEEN, 1) * 255)
    scale = 1 if dtype == np.uint8 else 255
    rows = (np.stack([0 * p, p, q], -1) / scale).astype(dtype)
    path = save(tmp_path / "case.nii.gz", rows)
    classes, _ = read_joint_file(path, {1: "abdomen", 2: "abdomen"})
    np.testing.assert_array_equal(full(classes, "abdomen"), np.minimum(p + q, 255))


def test_a_single_value_beside_soft_files_is_a_probability(tmp_path):
    p = np.rint(soft(LIVER) * 255).astype(np.uint8)
    files = {"liver": save(tmp_path / "liver.nii.gz", p),
             "spleen": save(tmp_path / "spleen.nii.gz", SPLEEN * np.uint8(3))}  # fmt: skip
    classes, _ = read_class_files(files)
    np.testing.assert_array_equal(full(classes, "spleen"), SPLEEN * 3)
    path = save(tmp_path / "case.nii.gz", np.stack([255 - p, p, SPLEEN * np.uint8(3)], -1))
    classes, _ = read_joint_file(path, {1: "liver", 2: "spleen"})
    np.testing.assert_array_equal(full(classes, "spleen"), SPLEEN * 3)
    files["liver"] = save(tmp_path / "mask.nii.gz", LIVER.astype(np.uint8))
    with pytest.raises(PredictionError, match="class spleen: it holds 3 alone"):
        read_class_files(files)
