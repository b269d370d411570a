"""What was collected, for those who work with it: one reader over files, and what it feeds."""
