"""The commands that people and schedules call beside the captures; each imports what it needs when it runs."""
