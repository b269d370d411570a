"""What sfm-stream costs, side by side with others in one run.

============  ======================================================================================
module        holds
============  ======================================================================================
``__main__``  the command line, ``script/bench``
``subjects``  one module each: what is compared, its tables and its ratios
``lib``       what they share: processes and their CPU time, rounds, tables, servers, posts
============  ======================================================================================

``bands.toml`` holds the ratios that ``script/bench --bounded`` accepts; ``peers`` what runs in the others'
environment, and the versions there. To add a subject, add a module to ``subjects``, and its bands.
"""
