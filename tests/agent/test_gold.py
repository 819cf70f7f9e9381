"""The gold subset: nothing a machine drew takes its place, whatever else is trusted after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.assembly.assemble import choose
from labeling.config import AssembleConfig
from voxcurate.catalog import Label

ORIGINS = ("original", "revised", "judged", "pseudo", "synthetic")


def version(n, origin, *, gold=False, number=0):
    return Label(
        f"l{n}", "c", "liver", origin, "", "", number, "p", "", "", 1.0, 5, gold=gold
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(ORIGINS), st.integers(0, 9)), max_size=6),
    st.integers(0, 6),
    st.sampled_from(["original", "revised"]),
)
def test_gold_is_chosen_before_all_others(others, place, origin):
    versions = [version(n, kind, number=at) for n, (kind, at) in enumerate(others)]
    versions.insert(min(place, len(versions)), version("gold", origin, gold=True))
    found = choose(versions, AssembleConfig(), newest={v.label_id for v in versions[:2]})
    assert found is not None
    assert (found[0].label_id, found[1]) == ("lgold", "gold")


@pytest.mark.parametrize("withheld", [False, True])
def test_no_trust_order_lets_a_machine_replace_gold_that_people_drew(withheld):
    gold, pseudo = version(0, "revised", gold=True), version(1, "pseudo", number=3)
    published = AssembleConfig(trust=("original", "human", "judged", "pseudo"))
    found = choose([pseudo, gold], published, withheld=withheld)
    assert found is not None
    assert found[0] is gold
