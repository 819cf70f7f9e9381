"""The same scan under two names: hashes, search, proof, groups, and which copy stays."""
