"""A Jetstream on loopback: both wires, the window of replay, limits and failures.

=============  =========================================================================================
module         holds
=============  =========================================================================================
``events``     what happens in the simulated network: event number n, the same again for the same seed
``wires``      how an event looks on either wire, and what a request selects
``server``     the WebSocket endpoints: cursors, errors, slow readers, faults to order
=============  =========================================================================================
"""
