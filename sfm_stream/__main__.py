"""Lets `python -m sfm_stream` stand for the console script."""

from sfm_stream.cli import main

main()
