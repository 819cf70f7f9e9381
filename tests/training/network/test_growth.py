"""Growth: classes come and go, and those that stay do not notice."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.network.test_model import SMALL, image, stirred
from training.config import NetworkConfig
from training.network import Classes, build_network, grow, inherit
from training.network.text import HashingEmbedder, class_texts, embed_classes, nearness
from voxcurate.classes import load_vocabulary

IDS = ["kidney_left", "liver", "mandible"]
NEAR = nearness("hashing")


def classes(ids, prior=None):
    texts = class_texts(ids, load_vocabulary())
    vectors = embed_classes(HashingEmbedder(), [texts[i] for i in ids])
    return Classes(ids, prior or [0.01] * len(ids), vectors, "hashing")


def learnt(ids=IDS, text=True, config=SMALL):
    own = classes(ids)
    torch.manual_seed(5)
    made = build_network(config, 5, own.prior, own.vectors if text else None)
    stir = torch.Generator().manual_seed(len(ids))
    with torch.no_grad():
        for name, value in made.named_parameters():
            if name.startswith("heads"):
                value.add_(torch.randn(value.shape, generator=stir) * 0.2)
    return made.eval()


def outputs(state, ids, text=True):
    made = build_network(SMALL, 5, [0.01] * len(ids), classes(ids).vectors if text else None)
    made.load_state_dict(state)
    with torch.no_grad():
        return dict(zip(ids, made.eval()(image()).unbind(dim=1), strict=True))


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 20])
def test_one_more_class_changes_no_bit_of_the_others(text, n):
    """Appended, and put in front, where every other class changes its place."""
    many = [info.id for info in load_vocabulary() if info.id != "liver"][:n]
    old = learnt(many, text)
    before = outputs(old.state_dict(), many, text)
    for ids in ([*many, "liver"], ["liver", *many]):
        new = classes(ids) if text else Classes(ids, [0.01] * len(ids))
        state, _ = grow(old.state_dict(), many, new, NEAR)
        after = outputs(state, ids, text)
        assert all(torch.equal(before[c], after[c]) for c in many)


def test_the_new_class_starts_at_the_nearest():
    old = learnt()
    ids = [*IDS, "kidney_right", "sacrum"]
    prior = [0.01] * 3 + [0.2, 0.03]
    state, started = grow(old.state_dict(), IDS, classes(ids, prior), NEAR)
    kidney, sacrum = started
    assert (kidney.class_id, kidney.source) == ("kidney_right", "kidney_left")
    assert kidney.similarity > NEAR > sacrum.similarity
    assert str(kidney).startswith("kidney_left (0.")
    assert (sacrum.source, str(sacrum)) == ("", "prior")
    rows = state["heads.weight"], state["heads.bias"]
    assert torch.equal(rows[0][3], rows[0][0])
    assert torch.equal(rows[1][3], rows[1][0])
    assert not rows[0][4].any()
    assert torch.sigmoid(rows[1][4]).item() == pytest.approx(0.03, rel=1e-4)
    np.testing.assert_allclose(state["heads.text"][3], classes(ids).vectors[3])


@settings(max_examples=15, deadline=None)
@given(st.permutations(IDS), st.integers(1, 3))
def test_leaving_and_changing_places(order, n):
    old = learnt()
    kept = list(order[:n])
    state, started = grow(old.state_dict(), IDS, classes(kept), NEAR)
    assert not started
    before, after = outputs(old.state_dict(), IDS), outputs(state, kept)
    assert all(torch.equal(before[c], after[c]) for c in kept)


def test_growing_changes_nothing_in_place():
    old = learnt()
    before = {k: v.clone() for k, v in old.state_dict().items()}
    grow(old.state_dict(), IDS, classes([*IDS, "spleen"]), NEAR)
    assert all(torch.equal(before[k], v) for k, v in old.state_dict().items())


def test_a_described_class_of_the_user_keeps_its_old_text():
    """A description mended since does not change what was learnt under the old one."""
    old = learnt()
    new = classes(IDS)
    moved = Classes(IDS, new.prior, np.roll(new.vectors, 1, axis=0), "hashing")
    state, _ = grow(old.state_dict(), IDS, moved, NEAR)
    assert torch.equal(state["heads.text"], old.state_dict()["heads.text"])


def test_inherited_weights_give_the_same():
    old = learnt()
    ids = ["spleen", *IDS[1:]]
    new = classes(ids)
    made = build_network(SMALL, 5, new.prior, new.vectors)
    found = inherit(made, old.state_dict(), classes(IDS), new, NEAR)
    assert (found.why_not, found.dropped) == ("", ("kidney_left",))
    assert [s.class_id for s in found.started] == ["spleen"]
    before = outputs(old.state_dict(), IDS)
    with torch.no_grad():
        assert torch.equal(made.eval()(image())[:, 1], before["liver"])
    assert found.facts()["started"].keys() == {"spleen"}


@pytest.mark.parametrize(
    "other",
    [
        NetworkConfig(architecture="unet", channels=(4, 16), features=4),
        NetworkConfig(architecture="segresnet", channels=(4, 8), features=4),
        NetworkConfig(architecture="unet", channels=(4, 8), features=8),
    ],
)
def test_another_backbone_begins_anew_and_says_so(other):
    made = build_network(other, 5, [0.01] * 3, classes(IDS).vectors)
    before = {k: v.clone() for k, v in made.state_dict().items()}
    found = inherit(made, learnt().state_dict(), classes(IDS), classes(IDS), NEAR)
    assert found.why_not
    assert all(torch.equal(before[k], v) for k, v in made.state_dict().items())


def test_other_channels_begin_anew():
    made = build_network(SMALL, 4, [0.01] * 3, classes(IDS).vectors)
    found = inherit(made, learnt().state_dict(), classes(IDS), classes(IDS), NEAR)
    assert "shape of backbone" in found.why_not


def test_text_above_plain_heads_changes_nothing():
    old = learnt(text=False)
    made = build_network(SMALL, 5, [0.01] * 3, classes(IDS).vectors)
    found = inherit(made, old.state_dict(), Classes(IDS), classes(IDS), NEAR)
    assert found.notes == ("text heads begin above the plain ones",)
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(image()), old(image()))


@pytest.mark.parametrize(
    ("vectors", "note"), [(None, "text heads are gone"), ("other", "text heads begin anew")]
)
def test_lost_text_heads_are_told(vectors, note):
    new = Classes(IDS, [0.01] * 3, None if vectors is None else classes(IDS).vectors, "minilm")
    made = build_network(SMALL, 5, new.prior, new.vectors)
    found = inherit(made, learnt().state_dict(), classes(IDS), new, NEAR)
    assert found.notes == (note,)
    assert torch.equal(made.heads.weight, learnt().heads.weight)


def test_windows_beside_each_other_agree():
    """The controller reads the patch's mean: shifted windows give nearly the same heads."""
    made = stirred().eval()
    scene = torch.randn(1, 5, 32, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        full = made.features(scene)[0]
        one, two = made.heads(full[:, :, :24]), made.heads(full[:, :, 8:])
        both = (one[:, :, 8:] - two[:, :, :16]).abs().mean()
    assert both < 0.1 * one.std()
