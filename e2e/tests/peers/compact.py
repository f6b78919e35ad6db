"""Compacts a Delta table with delta-rs: `compact.py TABLE STORAGE_OPTIONS`; prints one line of JSON.

A compaction that somebody else's commit came before is tried again. `removed` says how many files were merged,
`refused` how often it was tried in vain.
"""

import json
import sys

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError


def compact(table: str, options: dict[str, str]) -> dict[str, int]:
    refused = 0
    while True:
        try:
            metrics = DeltaTable(table, storage_options=options).optimize.compact()
            return {"removed": metrics["numFilesRemoved"], "refused": refused}
        except CommitFailedError as error:
            print(error, file=sys.stderr)
            refused += 1


if __name__ == "__main__":
    print(json.dumps(compact(sys.argv[1], json.loads(sys.argv[2]))))
