"""De-identification of files, and the independent look for what is left."""
