"""Networks: shapes, scales, heads from text."""

import numpy as np
import pytest
import torch

from training.config import NetworkConfig, network_config
from training.network import build_network, count_parameters, place
from voxcurate.errors import ConfigError, TrainingError

SMALL = NetworkConfig(architecture="unet", channels=(4, 8), features=4)
PRIOR = (0.02, 0.001, 0.1)


def vectors(n=3, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def network(text=True, config=SMALL, prior=PRIOR):
    torch.manual_seed(0)
    return build_network(config, 5, prior, vectors(len(prior)) if text else None)


def stirred(**more):
    """A network whose controller says something."""
    made = network(**more)
    with torch.no_grad():
        for value in made.heads.parameters():
            value.add_(torch.randn_like(value) * 0.2)
    return made


def image(n=2, sides=(16, 24, 16)):
    return torch.randn(n, 5, *sides, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["unet_small", "dynunet_small", "segresnet_small"])
def test_small_networks_keep_the_patchs_shape(name):
    made = build_network(network_config(name), 5, PRIOR)
    with torch.no_grad():
        assert made(torch.zeros(1, 5, 16, 24, 32)).shape == (1, 3, 16, 24, 32)
    assert count_parameters(made) < 1_500_000


@pytest.mark.parametrize("name", ["dynunet_deep", "segresnet_deep", "resenc_small"])
def test_deeply_supervised_networks_give_halved_scales_in_training(name):
    made = build_network(network_config(name), 5, PRIOR, vectors())
    scales = made.features(image(1, (16, 32, 16)))
    assert [tuple(s.shape[2:]) for s in scales] == [(16, 32, 16), (8, 16, 8), (4, 8, 4)]
    assert len({s.shape[1] for s in scales}) == 1
    loss = sum(made.heads(scale).square().mean() for scale in scales)
    (loss + made.rebuild(scales[0]).square().mean()).backward()
    assert all(p.grad is not None for p in made.parameters())  # several processes ask for that
    with torch.no_grad():
        assert len(made.eval().features(image(1, (16, 32, 16)))) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("unet_large", (32, 32, 32)),
        ("segresnet_large", (32, 32, 32)),
        ("mednext", (32, 32, 32)),
        ("resenc_large", (64, 32, 32)),
    ],
)
def test_large_networks_can_be_built(name, sides):
    made = build_network(network_config(name), 5, (0.01,)).eval()
    with torch.no_grad():
        assert made(torch.zeros(1, 5, *sides)).shape == (1, 1, *sides)


def test_mednext_is_supervised_at_all_of_its_scales():
    config = NetworkConfig(architecture="mednext", channels=(4,), features=4, deep_supervision=4)
    scales = build_network(config, 5, PRIOR).features(image(1, (32, 16, 16)))
    assert [s.shape[2] for s in scales] == [32, 16, 8, 4, 2]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"architecture": "unet", "deep_supervision": 1}, "no deep supervision"),
        ({"architecture": "mednext", "deep_supervision": 2}, "all 4"),
        ({"architecture": "resenc", "deep_supervision": 3}, "coarser"),
        ({"architecture": "resenc", "blocks": (1, 2)}, "blocks of 4 stages"),
        ({"architecture": "segresnet", "deep_supervision": 3}, "fewer than 3"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes, why):
    with pytest.raises(TrainingError, match=why):
        build_network(NetworkConfig(**changes), 5, PRIOR)


def test_unknown_network_is_a_config_error():
    with pytest.raises(ConfigError, match=r"nothing_small\.yaml"):
        network_config("nothing_small")


@pytest.mark.parametrize("text", [True, False])
def test_heads_start_at_the_prior(text):
    made = network(text)
    with torch.no_grad():
        found = made.heads(torch.zeros(1, 4, 2, 2, 2)).sigmoid()
    assert found[0, :, 0, 0, 0].tolist() == pytest.approx(PRIOR, rel=1e-4)


def test_text_heads_begin_as_plain_ones():
    plain, text = network(False), network(True)
    text.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(plain(image()), text(image()))


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("n", [1, 3, 8, 11])
def test_in_training_and_outside_the_same(text, n):
    made = stirred(text=text, prior=(0.1,) * n)
    with torch.no_grad():
        features = made.features(image())[0]
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            given = features.contiguous(memory_format=layout)
            learning = made.train().heads(given)
            torch.testing.assert_close(made.eval().heads(given), learning, atol=1e-5, rtol=1e-5)


def test_a_head_is_what_its_definition_says():
    """Each class by itself, in a plain loop."""
    made = stirred()
    heads = made.heads
    with torch.no_grad():
        features = made.features(image())[0]
        found = made(image())
        for b, sample in enumerate(features):
            seen = heads.norm(sample.mean(dim=(1, 2, 3)))
            for c in range(3):
                fused = torch.cat([seen / 4, heads.text[c]])
                layer = torch.cat([heads.image.weight, heads.words.weight], dim=1)
                hidden = torch.nn.functional.silu(layer @ fused + heads.image.bias / 4)
                given = (heads.give.weight @ hidden + heads.give.bias) / 8
                weight, bias = heads.weight[c] + given[:-1], heads.bias[c] + given[-1]
                want = torch.einsum("f,fijk->ijk", weight, sample) + bias
                torch.testing.assert_close(found[b, c], want, atol=1e-5, rtol=1e-4)


def test_heads_from_text_are_not_thrown_about():
    """A step moves a head little more than a plain one (2.4 times as far; unscaled: 24)."""
    moved = {}
    for text in (False, True):
        heads = network(text).train().heads
        features = torch.rand(2, heads.weight.shape[1], 6, 5, 4, generator=torch.Generator())
        features = features * torch.linspace(0.2, 2.0, features.shape[1])[:, None, None, None]
        optimizer = torch.optim.AdamW(heads.parameters(), lr=1e-2, weight_decay=0.0)
        before = heads(features).detach()
        for _ in range(2):
            optimizer.zero_grad()
            heads(features).square().mean().backward()
            optimizer.step()
        moved[text] = (heads(features).detach() - before).abs().mean().item()
    assert moved[False] < moved[True] < 4 * moved[False]


def test_text_decides():
    """Another text gives another head; without a text the vectors are not there."""
    made = stirred().eval()
    with torch.no_grad():
        before = made(image())
        made.heads.text[1] += 1.0
        after = made(image())
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.allclose(before[:, 1], after[:, 1])
    assert not any("text" in name for name in network(False).state_dict())


def test_pooled_features_are_mean_and_spread():
    made = network()
    scales = made.features(image())
    found = made.pooled(scales)
    assert found.shape == (2, 8)
    assert not found.requires_grad
    flat = scales[0].detach().numpy().reshape(2, 4, -1)
    np.testing.assert_allclose(found[:, :4], flat.mean(axis=2), atol=1e-5)
    np.testing.assert_allclose(found[:, 4:], flat.std(axis=2), atol=1e-5)
    torch.testing.assert_close(made.pooled(scales[0]), found)


def test_place_joins_at_every_scale():
    """A shifted position changes all scales of a backbone that cannot see it by itself."""
    made = place(build_network(network_config("dynunet_deep"), 5, PRIOR), torch.device("cpu"))
    here, there = image(1, (16, 16, 16)), image(1, (16, 16, 16))
    there[:, -1] += 0.5
    for one, two in zip(made.features(here), made.features(there), strict=True):
        assert (one - two).abs().mean() > 1e-3
