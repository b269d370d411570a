"""What the subjects share."""
