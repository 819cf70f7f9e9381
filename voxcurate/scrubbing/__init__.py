"""What makes a piece of text an identifier: the parts of the one scrubber (`voxcurate.scrub`)."""
