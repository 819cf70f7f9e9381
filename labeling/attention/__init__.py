"""Where models disagree, per voxel and class, and who is looked at first."""
