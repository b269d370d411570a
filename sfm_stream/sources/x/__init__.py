"""X: the filtered stream and the sample stream of its API v2."""
