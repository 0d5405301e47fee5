"""One of the processes that `launch` starts: `python -m auxrnn.runs.rank RUN CHECKPOINT DATA_DIR JUDGED LAST_WORDS`.

Trains its part, leaves its last words in a file for the process that started it, and ends when that one is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

ORPHANED = 60.0
"""Seconds to save and end in once the process that started this one is gone."""


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever passes it on speaks for all
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    from auxrnn.errors import InputError
    from auxrnn.runs.run import StoppedRunError, train_rank
    from auxrnn.training.ranks import LostRankError

    folder, checkpoint, data_dir, judged, last_words = sys.argv[1:]
    try:
        train_rank(Path(folder), Path(checkpoint) if checkpoint else None, data_dir or None, bool(judged))
    except (InputError, StoppedRunError) as error:
        kind = "input" if isinstance(error, InputError) else "stopped"
        kind = "lost" if isinstance(error.__cause__, LostRankError) else kind
        Path(last_words).write_text(json.dumps([kind, str(error)]), encoding="utf-8")
        return 1
    return 0


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHANED)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
