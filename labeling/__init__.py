"""Predict, fuse, attend, detect, judge, review, assemble."""
