"""Is a scan usable? Rules on volumes and on the headers they came from."""
