"""From a filter to rules of X, and what a rule matches."""
