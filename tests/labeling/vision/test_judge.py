"""The judge on phantoms: pictures, words, one sweep, answers kept."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.anatomy import AnatomyFile
from labeling.structures import Structure
from labeling.vision.answers import Comparison, FieldOfView
from labeling.vision.config import VisionConfig
from labeling.vision.engine import make_vision_engine
from labeling.vision.judge import VisionJudge, load_wordings
from labeling.vision.play import play
from labeling.vision.wording import LANDMARKS, ClassPrompt, Wordings
from tests.labeling.conftest import AFFINE, SHAPE, phantom
from tests.labeling.vision.engines import Engine
from voxcurate.chat import EngineConfig
from voxcurate.chat.replay import CachedEngine, Recordings
from voxcurate.classes import load_vocabulary
from voxcurate.config import build, read_yaml, shipped
from voxcurate.errors import ConfigError
from voxcurate.protocols import LABEL_JUDGES, LabelJudge, load

VOCABULARY = load_vocabulary()
WORDINGS = load_wordings(VOCABULARY, VisionConfig().anatomy)
SCAN, MASKS = phantom(0)


def red_columns(png):
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    red = (rgb[..., 0] > 60) & (rgb[..., 1] == 0) & (rgb[..., 2] == 0)
    return np.flatnonzero(red.any(0)) / rgb.shape[1]


def prefer_the_right_half(a, b):
    """The overlay whose red lies further right in the picture (the patient's left)."""
    return "1" if red_columns(a).mean() > red_columns(b).mean() else "2"


def judge(engine, **fields):
    return VisionJudge(engine, VOCABULARY, wordings=WORDINGS, **fields)


def test_is_a_label_judge_in_the_registry():
    assert load(LABEL_JUDGES, "vision") is VisionJudge
    assert isinstance(judge(Engine()), LabelJudge)


@pytest.mark.parametrize("boxed", [False, True])
def test_swapped_kidney_loses_to_the_right_one(boxed):
    swapped, good = MASKS["kidney_right"], MASKS["kidney_left"]
    if boxed:
        swapped, good = (Structure.of("kidney_left", m, AFFINE) for m in (swapped, good))
    engine = Engine(prefer_the_right_half)
    verdict = judge(engine).judge(SCAN, "kidney_left", [swapped, good])
    assert verdict.choice == 1
    assert judge(engine).judge(SCAN, "kidney_left", [good, swapped]).choice == 0


def test_small_differences_are_not_asked_but_large_ones_in_the_picture_are():
    mask = MASKS["liver"]
    near = mask.copy()
    near[tuple(np.argwhere(mask)[0])] = False
    engine = Engine(lambda a, b: "same")
    assert judge(engine).judge(SCAN, "liver", [mask, near]).evidence["alike"]
    assert engine.asked == []
    leak = mask.copy()
    leak[:, 13, 20:] = True  # a thin sheet: little volume, a large shadow
    assert 2 * mask.sum() / (mask.sum() + leak.sum()) > 0.8
    assert not judge(engine).judge(SCAN, "liver", [mask, leak]).evidence["alike"]


def test_empty_labels_are_alike():
    nothing = np.zeros(SHAPE, bool)
    assert judge(Engine()).judge(SCAN, "liver", [nothing, nothing.copy()]).evidence["alike"]


def test_classes_of_a_scan_are_judged_together_and_the_scan_is_looked_at_once():
    engine = Engine(prefer_the_right_half)
    swapped = {
        "kidney_left": [MASKS["kidney_right"], MASKS["kidney_left"]],
        "spleen": [MASKS["liver"], MASKS["spleen"]],
    }
    found = judge(engine).judge_all(SCAN, swapped)
    assert {c: v.choice for c, v in found.items()} == {"kidney_left": 1, "spleen": 1}
    assert engine.count(FieldOfView) == 1
    alone = judge(Engine(prefer_the_right_half)).judge(SCAN, "spleen", swapped["spleen"])
    assert alone == found["spleen"]


def test_scans_can_be_judged_together():
    engine = Engine(prefer_the_right_half)
    made = judge(engine)
    plays = []
    for seed in (0, 1, 2):
        volume, masks = phantom(seed)
        volume.array[10 + seed, 5, 5] = 1500  # another skeleton each
        pair = [masks["kidney_right"], masks["kidney_left"]]
        plays += made.plays(volume, {"kidney_left": pair}).values()
    assert [v.choice for v in play(engine, plays)] == [1, 1, 1]
    assert engine.batches == [3, 6, 3]


def test_nothing_but_class_and_pixels_is_told():
    engine = Engine(prefer_the_right_half)
    judge(engine).judge(SCAN, "spleen", [MASKS["liver"], MASKS["spleen"]])
    for _, talk in engine.asked:
        for message in talk:
            for image in message.images:
                opened = Image.open(io.BytesIO(image))
                assert not opened.info
                assert max(opened.size) == 512
                kinds = {image[n : n + 4] for n in (12, len(image) - 8)}
                assert kinds == {b"IHDR", b"IEND"}
    text = next(t for s, t in engine.asked if s is Comparison)[-1].text
    assert text.startswith("The organ: spleen.\n- Shape:")


def test_overlay_and_window_are_those_of_the_class():
    told = {"shape": "s", "unity": "u", "location": "l", "completeness": "c", "projection": "p"}
    prompt = ClassPrompt(**told, overlay="solid", window="organs", view="axial")
    engine = Engine(lambda a, b: "same")
    made = VisionJudge(engine, VOCABULARY, wordings=Wordings(VOCABULARY, {"liver": prompt}))
    made.judge(SCAN, "liver", [MASKS["liver"], MASKS["spleen"]])
    talk = next(t for s, t in engine.asked if s is Comparison)
    rgb = np.asarray(Image.open(io.BytesIO(talk[-1].images[0])).convert("RGB"))
    assert (rgb == (255, 0, 0)).all(-1).sum() > 1000
    assert "seen from the feet" in talk[-1].text


def test_other_modalities_are_shown_by_their_own_values_and_have_no_skeleton():
    engine = Engine(prefer_the_right_half)
    made = judge(engine, modality="MR")
    scaled = SCAN.with_array(SCAN.array * 4 + 6000)  # no HU
    pair = [MASKS["liver"], MASKS["spleen"]]
    assert made.judge(scaled, "spleen", pair).choice == 1
    assert engine.count(FieldOfView) == 0
    (first, *_) = (t[-1].images[0] for s, t in engine.asked if s is Comparison)
    grey = np.asarray(Image.open(io.BytesIO(first)).convert("L"))
    assert grey.std() > 20  # the body stands out


def test_examples_are_pictures_of_other_labels():
    config = VisionConfig(examples=1)
    other, masks = phantom(5)
    plain = judge(Engine(), config=config)
    examples = {"liver": [plain.example(other, "liver", masks["liver"])] * 3}
    engine = Engine(prefer_the_right_half)
    judge(engine, config=config, examples=examples).judge(
        SCAN, "liver", [MASKS["spleen"], MASKS["liver"]]
    )
    talk = next(t for s, t in engine.asked if s is Comparison)
    assert len(talk[-1].images) == 3
    assert talk[-1].images[0] == examples["liver"][0].picture


def test_known_view_spares_the_question():
    engine = Engine(prefer_the_right_half)
    nothing = np.zeros(SHAPE, bool)
    made = judge(engine, in_view={"spleen": False})
    assert made.judge(SCAN, "spleen", [MASKS["spleen"], nothing]).choice == 1
    assert engine.asked == []


def test_rerun_asks_nothing_and_another_label_asks_what_is_new(tmp_path):
    recordings = Recordings(tmp_path / "answers.sqlite")
    pair = [MASKS["liver"], MASKS["spleen"]]

    def run(candidates):
        engine = Engine(prefer_the_right_half)
        cached = CachedEngine(engine, recordings, model="m")
        return judge(cached).judge(SCAN, "spleen", candidates), len(engine.asked)

    first, n = run(pair)
    again, none = run(pair)
    assert (again, n, none) == (first, 4, 0)
    _, more = run([pair[0], np.roll(pair[1], 5, 2)])
    assert more == 3  # both orders and the new champion, the skeleton is known


def test_all_written_classes_have_their_own_words():
    for region in ("abdomen", "head_neck"):
        file = build(AnatomyFile, read_yaml(shipped("anatomy", f"{region}.yaml")))
        assert set(file.classes) <= set(file.prompts)
        for class_id in file.prompts:
            assert class_id in VOCABULARY or class_id in file.classes
    for info in VOCABULARY:
        wording = WORDINGS[info.id]
        assert "{" not in wording.lines
        assert wording.lines.count("\n- ") == 4
        assert set(wording.landmarks) <= set(LANDMARKS)
    left, right = WORDINGS["kidney_left"], WORDINGS["kidney_right"]
    assert "patient's left" in left.lines
    assert "right half of the picture" in left.lines
    assert left.version != right.version


def test_class_that_nobody_knows_is_described_by_its_name():
    wording = WORDINGS["third_lung"]
    assert (wording.name, wording.is_generic, wording.landmarks) == ("third lung", True, ())


@pytest.mark.parametrize(
    ("class_id", "optional"),
    [("liver", False), ("liver_tumor", True), ("gall_bladder", True), ("prostate", True)],
)
def test_what_a_patient_may_lack(class_id, optional):
    assert WORDINGS[class_id].is_optional is optional


def test_configured_judge_keeps_answers_and_asks_for_weights(tmp_path):
    config = EngineConfig(engine="openai", model="m", base_url="http://127.0.0.1:9/v1", retries=0)
    made = VisionJudge(make_vision_engine(config, root=tmp_path))
    assert isinstance(made.engine, CachedEngine)
    assert (tmp_path / "vision.sqlite").exists()
    with pytest.raises(ConfigError, match="wants an engine"):
        make_vision_engine(EngineConfig(), root=tmp_path)
    verdict = made.judge(SCAN, "spleen", [MASKS["liver"], MASKS["spleen"]])
    assert (verdict.choice, verdict.evidence["failed"]) == (None, 3)  # nobody listens there


def test_each_verdict_tells_what_it_asked_and_a_round_has_no_crowd():
    engine = Engine(prefer_the_right_half)
    verdict = judge(engine).judge(SCAN, "spleen", [MASKS["liver"], MASKS["spleen"]])
    asked = {"requests": 4, "tokens_in": 0, "tokens_out": 4}
    assert (verdict.evidence["asked"], len(engine.asked)) == (asked, 4)
    alike = [MASKS["liver"]] * 4
    for is_crowd, n in ((True, 0), (False, 2)):
        engine = Engine(lambda a, b: "same")
        made = judge(engine, is_crowd=is_crowd)
        made.judge(SCAN, "liver", [*alike, MASKS["spleen"]])
        assert engine.count(Comparison) == n
