"""What a program tells of itself, for now and for years: journal, gaps, live status, history of settings."""
