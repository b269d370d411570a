"""Runs a module or a script, with every name resolved to one port of loopback: peers have X's address built in.

python at_port.py PORT MODULE|FILE.py [ARGUMENT...]
"""

import runpy
import socket
import sys

port, target, *arguments = sys.argv[1:]


def getaddrinfo(*_, **__):
    """Where everything is."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port)))]


socket.getaddrinfo = getaddrinfo
sys.argv = [target, *arguments]
if target.endswith(".py"):
    runpy.run_path(target, run_name="__main__")
else:
    runpy.run_module(target, run_name="__main__", alter_sys=True)
