"""Which version of a label counts, where each voxel comes from, and how to take it back."""
