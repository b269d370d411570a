"""The formats of capture files: `formats` says which there are, `content` reads any of them, whole or torn.

gzip is written and read by zlib-ng, zstd by what is `compression.zstd` in Python 3.14. Either is imported where it is
used: a program that writes gzip does not load zstd.
"""
