"""What simulated services share.

==============  ===========================================================================
module          holds
==============  ===========================================================================
``command``     ``sfm-stream simulate``: the simulated source that its first argument names
``options``     the options that each of them has
``serve``       serving on loopback until a signal
``control``     how tests order faults and read the ledger
``plan``        faults to order, for services that take one a connection
``ledger``      what was sent, on which connection, when and how it ended
``vocabulary``  what generated posts are made of
==============  ===========================================================================
"""
