"""What a step is made of: kinds of samples, their shares, and where it is hard."""
