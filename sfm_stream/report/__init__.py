"""How things stand on a host: what was seen, what it means, and how people and machines are told."""
