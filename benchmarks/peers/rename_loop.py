"""The least that sorts files into a date tree: ``python rename_loop.py DIRECTORY``. It loses nothing only by luck."""

import os
import re
import sys

(data,) = sys.argv[1:]
made = set()
for name in os.listdir(data):
    program, year, month, day, hour = re.match(r"(.*)-(\d{4})-(\d\d)-(\d\d)T(\d\d)", name).groups()
    target = f"{data}/{program}/{year}/{month}/{day}/{hour}"
    if target not in made:
        os.makedirs(target, exist_ok=True)
        made.add(target)
    os.rename(f"{data}/{name}", f"{target}/{name}")
