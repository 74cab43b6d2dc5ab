"""One run in a process of its own, for somebody to kill: ``python -m tests.killing.victim FOLDER URL JOB NOW``."""

import sys
from datetime import datetime
from pathlib import Path

from adapter.store.engine import make_engine
from tests.edges.small_practice import SmallPractice
from tests.killing.site import do

if __name__ == "__main__":
    folder, url, job, now = sys.argv[1:]
    engine = make_engine(url)
    do(SmallPractice.again(engine, Path(folder), datetime.fromisoformat(now)), engine, job)
