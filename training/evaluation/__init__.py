"""Evaluation: scores of cases, lesions, calibration, subgroups, significance, tables and plots.

The written rules are in ``docs/evaluation.md``; each module tells its own.
"""
