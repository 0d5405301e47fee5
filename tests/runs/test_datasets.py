"""A path instead of a preset: from files to train, evaluate, predict and resume."""

import csv
import json
from io import StringIO
from operator import eq

import pytest

from auxrnn.cli import main
from auxrnn.config import RunConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_given
from auxrnn.experiments.diagnosis import diagnose
from auxrnn.experiments.run_report import report_runs
from auxrnn.runs.datasets import load_data, run_name, source_of
from auxrnn.runs.run import resume_run, start_run
from auxrnn.runs.use import evaluate, predict_file, write_predictions
from auxrnn.sources.importing import import_source
from auxrnn.sources.presets import path_of
from auxrnn.use.opening import open_model
from own_files import write_csv, write_long_form, write_texts

SMALL = ["--max_epochs", "1", "--pretrain_epochs", "0", "--hidden_size", "4", "--projection_size", "null"]


def train(path, out, *options):
    said = []
    config, given = parse_given([str(path), *SMALL, *options, "--out", str(out)])
    return start_run(config, said.append, given=given), said


def test_what_is_a_path(tmp_path):
    assert not path_of("mnist")
    assert not path_of("minst")
    assert path_of("./minst")
    assert path_of("reviews.csv")
    assert path_of(str(tmp_path))
    assert run_name(RunConfig(data="data/reviews.csv", seed=3)) == "runs/reviews-r-lstm-3"


def test_a_preset_is_loaded_as_ever():
    loaded = load_data(RunConfig(data="digits", limit_train=20))
    assert (len(loaded.sequences.train), loaded.preprocessing) == (20, None)
    assert loaded.facts == {"data_options": {"limit_train": 20}}


def test_a_folder_with_the_name_of_a_preset_is_pointed_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_data(RunConfig(data="digits", limit_train=20)).findings == ()
    (tmp_path / "digits").mkdir()
    (line,) = load_data(RunConfig(data="digits", limit_train=20)).findings
    assert line.endswith("./digits")
    assert path_of("./digits")


def test_options_that_mean_nothing_for_own_files(tmp_path):
    path = write_texts(tmp_path, 20)
    with pytest.raises(InputError, match="expected no image_size"):
        load_data(RunConfig(data=str(path), image_size=8))
    assert len(load_data(RunConfig(data=str(path), limit_train=8, limit_test=2)).sequences.test) == 2


def test_what_is_neither_a_preset_nor_there():
    told = r"^mnits: expected a file, a folder or one of digits, .*, found nothing there\. Did you mean 'mnist'\?$"
    with pytest.raises(InputError, match=told):
        load_data(RunConfig(data="mnits", reading=ReadingOptions(id="machine")))


def test_a_long_form_table_from_file_to_prediction(tmp_path):
    path = write_long_form(tmp_path, 30)
    result, said = train(path, tmp_path / "run", "--class_weights", "balanced")
    assert said[0].startswith(f"{path}: long-form table")
    assert any(line.startswith("Chosen      --bptt 4: ") for line in said)
    assert 0 <= result["test_macro_f1"] <= 1
    saved = open_model(tmp_path / "run")
    assert saved.preprocessing.mean[0] == pytest.approx(-saved.preprocessing.mean[1])
    assert saved.facts["own"]["form"]["channel_names"] == ["a", "b"]
    found = evaluate(tmp_path / "run")
    assert found["accuracy"] == pytest.approx(result["test_accuracy"])
    answers = list(predict_file(tmp_path / "run", path))
    assert len(answers) == 30
    assert set(answers[0].entry["probabilities"]) == {"even", "odd"}
    assert answers[3].name == f"{path}, id 3 (row 11)"


def test_texts_by_a_set_and_the_same_bits_from_the_file(tmp_path):
    path = write_texts(tmp_path, 30)
    import_source(path, tmp_path / "set", ReadingOptions(), lambda _: None)
    of_file, _ = train(path, tmp_path / "one")
    of_set, _ = train(tmp_path / "set", tmp_path / "two")
    assert of_set["test_loss"] == of_file["test_loss"]
    assert evaluate(tmp_path / "two", str(path))["loss"] == pytest.approx(of_file["test_loss"], abs=1e-6)
    assert (tmp_path / "one" / "model" / "model.safetensors").read_bytes() == (
        tmp_path / "two" / "model" / "model.safetensors"
    ).read_bytes()
    stream = StringIO()
    write_predictions(predict_file(tmp_path / "two", path), "csv", stream)
    assert len(list(csv.DictReader(StringIO(stream.getvalue())))) == 30


def test_a_finished_run_is_left_and_another_form_is_refused(tmp_path):
    path = write_long_form(tmp_path, 30)
    result, _ = train(path, tmp_path / "run")
    assert resume_run(tmp_path / "run", lambda _: None)["test_loss"] == result["test_loss"]
    with pytest.raises(InputError):
        evaluate(tmp_path / "run", str(write_texts(tmp_path, 30)))


def test_damaged_facts_are_told(tmp_path):
    train(write_long_form(tmp_path, 30), tmp_path / "run")
    place = tmp_path / "run" / "model" / "config.json"
    content = json.loads(place.read_text())
    for damaged in ({**content["facts"]["own"], "form": {"kind": "values"}}, "hi"):
        content["facts"]["own"] = damaged
        place.write_text(json.dumps(content))
        with pytest.raises(InputError, match="as they were saved together, found another digest"):
            list(predict_file(tmp_path / "run", tmp_path / "steps.csv"))
        with pytest.raises(InputError, match="facts say under own how its data were read, got"):
            source_of(content["facts"])


def test_nothing_is_written_for_files_that_are_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label", "a,x", "b,y", ",y")
    with pytest.raises(InputError, match="row 4"):
        train(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_evaluate_reads_another_file_as_the_training_file_was_read(tmp_path):
    lines = [f"{row},{'good words' if row % 2 else 'bad things'} {row},{row % 2}" for row in range(20)]
    train(write_csv(tmp_path / "train.csv", "who,body,label", *lines), tmp_path / "run")
    turned = [f"{row % 3},{row % 2},some other words,{'good words' if row % 2 else 'bad things'}" for row in range(20)]
    other = write_csv(tmp_path / "other.csv", "mark,label,text,body", *turned)
    assert evaluate(tmp_path / "run", str(other))["sequences"] == 20
    renamed = write_csv(tmp_path / "renamed.csv", "text,label", *[f"some words,{row % 2}" for row in range(20)])
    with pytest.raises(InputError, match=r"renamed\.csv: expected --text to be one of its columns.*got 'body'"):
        evaluate(tmp_path / "run", str(renamed))


def test_a_model_is_not_tested_on_what_it_was_trained_on(tmp_path):
    """Rows in another order draw another test split. Files that were moved are the same."""
    rows = [f"{'good' if row % 2 else 'bad'} words {row},{row % 2}" for row in range(40)]
    path = write_csv(tmp_path / "a.csv", "text,label", *rows)
    result, _ = train(path, tmp_path / "run")
    moved = write_csv(tmp_path / "moved.csv", "text,label", *rows)
    for data in (None, str(path), str(moved)):
        found = evaluate(tmp_path / "run", data and str(data))
        assert (found["sequences"], found["accuracy"]) == (8, pytest.approx(result["test_accuracy"]))
    write_csv(path, "text,label", *rows[1:], rows[0])
    for data in (None, str(path)):
        with pytest.raises(InputError, match="files have changed since, and a test split drawn anew"):
            evaluate(tmp_path / "run", data and str(data))
    with pytest.raises(InputError, match="files have changed since"):
        list(diagnose(tmp_path / "run"))
    copied = write_csv(tmp_path / "copied.csv", "text,label", *rows[1:], rows[0])
    with pytest.raises(InputError, match="files have changed since"):
        evaluate(tmp_path / "run", str(copied))
    page = report_runs([tmp_path / "run"], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "its model is not looked into" in page


def test_all_of_new_files_is_scored_whichever_classes_they_have(tmp_path):
    rows = [f"{word} {row},{word}" for row in range(20) for word in ("good", "bad", "odd")]
    train(write_csv(tmp_path / "a.csv", "text,label", *rows), tmp_path / "run")
    new = write_csv(tmp_path / "new.csv", "text,label", "good 1,good", "good 2,good", "odd 3,odd")
    found = evaluate(tmp_path / "run", str(new))
    assert (found["sequences"], found["note"]) == (3, "all 3 sequences, for they name no test split")
    answers = [answer.entry["class"] for answer in predict_file(tmp_path / "run", new)]
    assert found["accuracy"] == pytest.approx(sum(map(eq, answers, ("good", "good", "odd"))) / 3, abs=1e-6)
    header = "text,label,split"
    named = write_csv(tmp_path / "named.csv", header, "good 1,good,test", "odd 2,odd,test")
    found = evaluate(tmp_path / "run", str(named))
    assert (found["sequences"], found["verdict"]) == (2, [])


def test_a_file_may_be_read_otherwise_than_those_of_training(tmp_path, capsys):
    """What the refusals advise can be said."""
    train(write_long_form(tmp_path, 30), tmp_path / "run")
    gap = write_csv(tmp_path / "gap.csv", "id,time,a,b", "x,0,1,2", "x,1,,3", "x,2,3,4")
    assert main(["predict", str(tmp_path / "run"), str(gap)]) == 2
    assert "--missing zero" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "run"), str(gap), "--missing", "zero"]) == 0
    again = write_csv(tmp_path / "again.csv", "id,time,a,b", "x,0,1,2", "x,0,2,3")
    assert main(["predict", str(tmp_path / "run"), str(again)]) == 2
    assert main(["predict", str(tmp_path / "run"), str(again), "--time", ""]) == 0
    points = write_csv(tmp_path / "points.csv", "id;time;a;b", "x;0;1,5;2")
    assert main(["predict", str(tmp_path / "run"), str(points), "--decimal", ","]) == 0


def test_texts_alone_may_hold_any_mark(tmp_path):
    rows = [f"{'good' if row % 2 else 'bad'} | words; {row},{row % 2}" for row in range(20)]
    train(write_csv(tmp_path / "a.csv", "text,label", *rows), tmp_path / "run")
    for mark in ("|", ";", ","):
        for name in ("alone.csv", "alone.tsv"):
            alone = write_csv(tmp_path / name, "text", f"good {mark} a {mark} b", f"bad {mark} c")
            assert len(list(predict_file(tmp_path / "run", alone))) == 2


def test_a_list_of_recordings_is_predicted_as_it_was_trained_from(tmp_path):
    for row in range(20):
        write_csv(tmp_path / f"{row}.csv", "t,a", *[f"{step},{step * (row % 2)}" for step in range(4)])
    listed = write_csv(tmp_path / "list.csv", "path,label", *[f"{row}.csv,{row % 2}" for row in range(20)])
    train(listed, tmp_path / "run")
    new = write_csv(tmp_path / "new.csv", "path", "0.csv", "1.csv")
    for file, number in ((listed, 20), (new, 2)):
        found = list(predict_file(tmp_path / "run", file))
        assert len(found) == number
        assert found[1].name == f"{file}, row 3 (1.csv)"
        (alone,) = predict_file(tmp_path / "run", tmp_path / "1.csv")
        assert found[1].shares == pytest.approx(alone.shares, abs=1e-6)
    with pytest.raises(InputError, match="expected at least one sequence, found none"):
        list(predict_file(tmp_path / "run", write_csv(tmp_path / "none.csv", "path")))


def test_a_test_split_that_is_named_may_grow(tmp_path):
    rows = [f"{'good' if row % 2 else 'bad'} {row},{row % 2},{'test' if row > 30 else 'train'}" for row in range(40)]
    path = write_csv(tmp_path / "a.csv", "text,label,split", *rows)
    train(path, tmp_path / "run")
    write_csv(path, "text,label,split", *rows, "good 77,1,test")
    assert evaluate(tmp_path / "run")["sequences"] == 10
