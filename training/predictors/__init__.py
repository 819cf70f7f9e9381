"""Predictors: whatever segments a scan, behind one Protocol (`voxcurate.protocols`)."""
