"""Work cut into shards, run by jobs anywhere, joined again through files that all nodes see."""
