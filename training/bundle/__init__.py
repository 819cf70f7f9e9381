"""Models on disk: MONAI bundles."""
