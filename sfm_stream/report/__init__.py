"""How things stand on a host, and what was collected there; and how people and machines are told."""
