"""The questions about lesions, as training gets them."""

from types import SimpleNamespace

from agent.config import RoundConfig
from agent.health import asked_of
from training.config import MixConfig, TrainingConfig
from voxcurate.classes import load_vocabulary


def ask(tmp_path, share):
    context = SimpleNamespace(
        workspace=SimpleNamespace(root=tmp_path), vocabulary=load_vocabulary()
    )
    return asked_of(context, RoundConfig(), TrainingConfig(mix=MixConfig(synthetic=share)))


def test_yes_of_every_narrower_question_and_no_of_the_broadest(tmp_path):
    found = ask(tmp_path, 0.1)
    assert {"liver_lesion", "liver_abscess", "liver_hemangioma"} <= set(found["liver_lesion"].yes)
    assert found["liver_lesion"].no == ("liver_lesion",)
    assert {"liver_tumour", "liver_metastasis", "liver_hcc"} <= set(found["liver_tumor"].yes)
    assert set(found["liver_tumor"].no) == {"liver_tumour", "liver_lesion"}
    assert "pancreas_ipmn" in found["pancreatic_cyst"].yes
    assert "pancreas_mucinous_neoplasm" in found["pancreatic_cyst"].yes


def test_nothing_is_asked_where_no_tumours_are_wanted(tmp_path):
    assert ask(tmp_path, 0.0) == {}
