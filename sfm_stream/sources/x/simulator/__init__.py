"""The simulated X: the protocol, limits and failures of its streaming API, on loopback and free of charge.

=============  =================================================================================
module         holds
=============  =================================================================================
``command``    the command line, ``sfm-stream simulate``
``server``     the HTTP application: what is counted, what a plan makes go wrong, which handler answers
``access``     who may ask
``apps``       an app of X: its rules, rate limits, connections and usage
``rest``       the answers besides the streams
``problems``   X's own way of saying no
``stream``     one connection, line by line; ``faulty`` is what a plan does to it
``firehose``   the clock that makes or replays posts and offers them to the connections
``generator``  posts without end; ``texts`` and ``ids`` help
``wire``       a post as asked for: fields and expansions chosen, ready to be filled with an id
``plan``       faults to order; its docstring is their reference, ``actions`` their types
=============  =================================================================================

What all simulated services share is in `sfm_stream.simulator`.
"""
