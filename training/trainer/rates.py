"""The learning rate of each step."""

import math

from training.config import TrainingConfig
from training.mix.schedule import Plan

HANDED_OVER = 1 / 3  # of the peak, where annealing takes over


def rate(step: int, plan: Plan, config: TrainingConfig) -> float:
    """Learning rate of a step.

    Linear warm-up, then half a cosine, or ``(1 - t) ** poly_power``, to zero. With annealing the
    fall ends at the first annealing step at a third of the peak, and the rest falls linearly to
    zero (data annealing, ScaleMAI, section A.4).
    """
    warmup = max(1, round(config.warmup * plan.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if plan.anneal_cases and step >= plan.anneal_from:
        left = (plan.steps - step) / max(1, plan.steps - plan.anneal_from)
        return config.learning_rate * HANDED_OVER * left
    end = plan.anneal_from if plan.anneal_cases else plan.steps
    done = (step - warmup) / max(1, end - warmup)
    if config.schedule == "poly":
        height = float((1 - done) ** config.poly_power)
    else:
        height = 0.5 * (1 + math.cos(math.pi * done))
    floor = HANDED_OVER if plan.anneal_cases else 0.0
    return config.learning_rate * (floor + (1 - floor) * height)
