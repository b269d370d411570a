"""EventStreams on loopback: replay by position, the end after a while, canaries, refusals to order."""
