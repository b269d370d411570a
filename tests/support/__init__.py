"""What tests of several kinds share: a simulated X and a capture program, both as real processes."""
