"""A training, a save, a load and an import need no module that only Unix has."""

import os
import subprocess
import sys
import textwrap

UNIX_ONLY = ("fcntl", "resource", "termios", "pwd", "grp")

WORK = """
    import sys
    from pathlib import Path

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name in {unix_only}:
                raise ImportError(name + " is for Unix alone")

    for name in {unix_only}:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Blocked())
    import auxrnn
    from auxrnn.cli import main
    from auxrnn.use.opening import open_model

    run = sys.argv[1]
    tiny = "--limit_train 40 --hidden_size 4 --max_epochs 1 --model lstm --bptt 4 --batch_size 16 --accelerator cpu"
    assert main(["train", "digits", *tiny.split(), "--out", run]) == 0
    open_model(Path(run))
    assert main(["resume", run]) == 0
    table = Path(run).with_name("own.csv")
    table.write_text("label,a,b,c\\n" + "up,1,2,3\\ndown,3,2,1\\n" * 8)
    assert main(["data", "import", str(table), "--rows", "series", "--out", str(table.with_suffix(""))]) == 0
    assert not list(Path(run).glob("*.lock"))
"""


def test_nothing_of_unix_alone_is_needed(tmp_path):
    code = textwrap.dedent(WORK).format(unix_only=UNIX_ONLY)
    environment = {**os.environ, "USERNAME": "somebody"}  # as Windows has it; torch asks for it
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
