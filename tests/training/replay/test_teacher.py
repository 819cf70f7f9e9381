"""What the old model says where a new case says nothing."""

import torch
from torch import nn

from training.replay.teacher import FLOOR, Teacher
from training.trainer.losses import segmentation_loss

OLD, NEW = ("a", "b"), ("b", "c", "a")
SHAPE = (2, 3, 4)


class Old(nn.Module):
    """Says 0.9 of its first class in front, 0.05 behind; of its second 0.7 everywhere."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.parameter = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        self.calls.append(len(image))
        told = torch.full((len(image), 2, *SHAPE), 0.7)
        told[:, 0] = 0.05
        told[:, 0, :, 0] = 0.9
        return torch.logit(told)


def given(*known):
    """One sample per row of known classes; nothing is drawn anywhere."""
    weight = torch.tensor(known, dtype=torch.float32)[:, :, None, None, None]
    target = torch.zeros(len(known), len(NEW), *SHAPE)
    return torch.zeros(len(known), 5, *SHAPE), target, weight


def test_it_fills_what_a_labelled_sample_does_not_say():
    image, target, weight = given([0, 1, 0], [1, 1, 1])
    filled, strength = Teacher(Old(), OLD, NEW, 0.5).fill(image, target, weight)
    assert strength[:, :, 0, 0, 0].tolist() == [[0.5, 1, 0.5], [1, 1, 1]]
    torch.testing.assert_close(filled[0, 0], torch.full(SHAPE, 0.7))
    torch.testing.assert_close(filled[0, 2, :, 0], torch.full((2, 4), 0.9))
    assert not filled[0, 2, :, 1:].any()  # below the floor
    assert FLOOR > 0.05
    assert not filled[0, 1].any()
    assert not filled[1].any()


def test_what_was_given_is_not_changed():
    image, target, weight = given([0, 1, 0])
    Teacher(Old(), OLD, NEW, 1.0).fill(image, target, weight)
    assert not target.any()
    assert weight.flatten().tolist() == [0, 1, 0]


def test_samples_without_any_label_stay_so_and_cost_nothing():
    image, target, weight = given([0, 0, 0], [1, 1, 1], [1, 0, 1])
    old = Old()
    filled, strength = Teacher(old, OLD, NEW, 1.0).fill(image, target, weight)
    assert filled is target  # class c, which the last sample does not know, is new to it as well
    assert strength is weight
    assert old.calls == []


def test_a_region_that_a_label_leaves_out_stays_open():
    image, target, weight = given([1, 1, 1])
    weight = weight.expand(1, 3, *SHAPE).clone()
    weight[0, 0, 1:] = 0
    filled, strength = Teacher(Old(), OLD, NEW, 1.0).fill(image, target, weight)
    assert torch.equal(strength, weight)
    assert torch.equal(filled, target)


def test_no_gradient_reaches_the_teacher_and_the_pupil_is_drawn_to_it():
    old = Old()
    image, target, weight = given([0, 1, 0])
    teacher = Teacher(old, OLD, NEW, 1.0)
    filled, strength = teacher.fill(image, target, weight)
    like = torch.logit(filled.clamp(0.01, 0.99)).requires_grad_()
    unlike = torch.logit((1 - filled).clamp(0.01, 0.99)).requires_grad_()
    losses = [segmentation_loss(logits, filled, strength)[0] for logits in (like, unlike)]
    assert losses[0] < losses[1]
    losses[0].backward()
    assert old.parameter.grad is None
    assert not old.parameter.requires_grad
