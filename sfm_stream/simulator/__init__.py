"""What simulated services share.

===========  ==============================================================================
module       holds
===========  ==============================================================================
``command``  ``sfm-stream simulate``: the simulated source that its first argument names
``options``  the options that each of them has
``serve``    serving on loopback until a signal
``control``  how tests order faults and read the ledger
``ledger``   what was sent, on which connection, when and how it ended
``words``    what generated posts are made of
===========  ==============================================================================
"""
