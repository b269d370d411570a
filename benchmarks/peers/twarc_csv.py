"""twarc-csv's own conversion, as `twarc2 csv` calls it.

python twarc_csv.py POSTS.jsonl OUT.csv

twarc-csv 0.7 calls a method that pandas 3 has under another name alone; it gets that back.
"""

import sys

import pandas as pd

pd.DataFrame.applymap = pd.DataFrame.map

from csv_writer import CSVConverter  # noqa: E402 - after what it needs
from dataframe_converter import DataFrameConverter  # noqa: E402

# It leaves out a batch of a hundred posts where one has a part that is none of its columns.
NEWER = """author.public_metrics.like_count author.public_metrics.media_count author.public_metrics.post_count
    geo.contained_within public_metrics.repost_count""".split()  # noqa: SIM905 - shorter

source, target = sys.argv[1:]
converter = DataFrameConverter(allow_duplicates=True, extra_input_columns=",".join(NEWER))
with open(source, encoding="utf-8") as posts, open(target, "w", encoding="utf-8") as table:
    CSVConverter(posts, table, converter, hide_progress=True).process()
