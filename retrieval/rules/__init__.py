"""Reading reports by rules: sections, sentences, anatomy, sizes and the context of a phrase."""
