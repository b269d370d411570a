"""The embedded X: the protocol, limits and failures of its streaming API, on loopback and free of charge.

=============  =================================================================================
module         holds
=============  =================================================================================
``command``    the command line, ``sfm-stream simulate``
``server``     the HTTP application: who may ask, what is counted, which handler answers
``stream``     both streams: one connection, line by line, and what a plan does to it
``firehose``   the clock that makes or replays posts and offers them to the connections
``generator``  posts without end; ``words`` is what they are made of
``wire``       a post as asked for: fields and expansions chosen, ready to be filled with an id
``apps``       an app of X: its rules, rate limits, connections and usage
``rest``       the answers besides the streams
``problems``   X's own way of saying no
``plan``       faults to order; its docstring is their reference
``ledger``     what was sent, on which connection, when and how it ended
=============  =================================================================================
"""
