"""Wikimedia EventStreams: every edit of every wiki, as server-sent events. See README.md."""
