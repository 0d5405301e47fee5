"""One process at a time makes a file; a killed one leaves nothing that another mistakes for it."""

from auxrnn.storage.lock import own_part
from spawned import FORKED, make_once


def test_only_one_of_two_processes_makes_it(tmp_path):
    made = FORKED.Queue()
    workers = [FORKED.Process(target=make_once, args=(tmp_path, made)) for _ in range(2)]
    with own_part(tmp_path / ".file.part"):  # all of them wait here
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join(300)
        assert worker.exitcode == 0
    made.get(timeout=10)
    assert made.empty()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_empty_part_goes_and_a_begun_one_stays(tmp_path):
    with own_part(tmp_path / "a"):
        pass
    assert not (tmp_path / "a").exists()
    with own_part(tmp_path / "a") as part:
        part.write_text("begun")
    with own_part(tmp_path / "a") as part:
        assert part.read_text() == "begun"
