"""A hand-made agreement of three networks, machines and people, for report and command."""

import numpy as np

from labeling.statistics.agreement import NAME, STAGE, Agreement
from labeling.statistics.agreement_case import RATERS
from labeling.statistics.figures import CaseAgreement, Rater, dice_matrix
from labeling.statistics.label_bias import COUNTING, FUSED, ORIGINAL, label_bias
from voxcurate.catalog import Measure

NETS = ("segresnet_fold0", "swinunetr_fold1", "unet_fold2")
ARCHITECTURES = ("SegResNet", "SwinUNETR", "UNet")


def agreement(classes, *, bias=0.04, n=30, nets=3, seed=0):
    """`n` patients, half with people's labels; machines' labels lean towards the second net."""
    rng = np.random.default_rng(seed)
    raters = [Rater(m, m, "model", a) for m, a in zip(NETS[:nets], ARCHITECTURES, strict=False)]
    raters += [RATERS[r] for r in (FUSED, COUNTING, ORIGINAL)]
    cases = []
    for i in range(n):
        dsc = {}
        for class_id in classes:
            level = 0.7 + 0.2 * rng.random()
            own = {(a.rater_id, b.rater_id): level + 0.04 * rng.random()
                   for j, a in enumerate(raters[:nets]) for b in raters[j + 1 : nets]}  # fmt: skip
            for m in NETS[:nets]:
                base = level + rng.normal(0, 0.01)
                lean = base + 0.06 + bias * (m == NETS[1])
                own[m, FUSED] = lean
                own[m, ORIGINAL if i % 2 else COUNTING] = base if i % 2 else lean
            if i % 2:
                own[FUSED, ORIGINAL] = level + 0.02
            dsc[class_id] = own
        cases.append(CaseAgreement(f"c{i}", dsc))
    matrix, found = dice_matrix(cases, raters), label_bias(cases, raters, {})
    return Agreement(tuple(raters), matrix, tuple(found), n, 5 * n, n)


def put(context, found):
    """As the stage would have kept it."""
    row = Measure(context.round, STAGE, "", "", "", NAME, float(found.n_cases), found.to_json())
    with context.catalog.write() as writer:
        writer.put(row)
