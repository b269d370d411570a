"""websockets' blocking client, reading frames and dropping them.

python websocket_reader.py URL FRAMES
"""

import sys

from websockets.sync.client import connect

url, frames = sys.argv[1:]
with connect(url, compression=None, max_size=None, max_queue=2048) as connection:
    for _ in range(int(frames)):
        connection.recv(decode=False)
