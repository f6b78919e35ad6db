"""The same changes through delta-rs MERGE: `create TABLE ROWS.parquet…`, then `merge TABLE CHANGES.parquet…`.

Both run in a process of their own, so that what is measured is the merging alone. `merge` prints one line of JSON: the
seconds of each commit, the CPU seconds of all of them, and the peak memory of the process in bytes.
"""

import json
import resource
import sys
import time

import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake


def create(table: str, files: list[str]) -> None:
    for file in files:
        write_deltalake(table, pq.read_table(file), mode="append")


def merge(table: str, files: list[str]) -> None:
    seconds = []
    cpu_seconds = 0.0
    for file in files:
        changes = pq.read_table(file)
        started, cpu_started = time.monotonic(), time.process_time()
        (
            DeltaTable(table)
            .merge(changes, predicate="target.id = source.id", source_alias="source", target_alias="target")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )
        seconds.append(time.monotonic() - started)
        cpu_seconds += time.process_time() - cpu_started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    {"create": create, "merge": merge}[sys.argv[1]](sys.argv[2], sys.argv[3:])
