"""A synthetic cohort: abdominal CT phantoms, reports, labels with planted faults, and their truth.

Nothing in the pipeline imports this package; it imports only the foundation. Its sources look like
a hospital's and three public datasets', so that a newcomer can try every stage and see what it is
worth.
"""

from agent.cohort.writer import CohortSummary, generate_cohort

__all__ = ["CohortSummary", "generate_cohort"]
