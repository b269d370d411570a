"""What simulated services share: the ledger of what was sent, and the words that posts are made of."""
