"""Bluesky, by its Jetstream: every public event of the network as JSON over one WebSocket. See README.md."""
