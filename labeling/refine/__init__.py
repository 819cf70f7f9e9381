"""Refinement: a label's border drawn anew from points and the scan, for the judge to accept."""
