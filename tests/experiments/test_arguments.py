"""The words after `auxrnn train`, a YAML file and --print_config all say the same thing, or what is wrong with them."""

import contextlib
import io
from typing import get_args, get_type_hints

import pytest
import yaml

from auxrnn.config import RECIPES, AuxiliaryConfig, RunConfig, TransformerConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_given, parse_run_config


def printed(*words):
    """What --print_config shows."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as end:
        parse_run_config([*words, "--print_config"])
    assert end.value.code == 0
    return shown.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(text, name="run.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_nothing_gives_the_defaults():
    assert parse_run_config([]) == RunConfig()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--taget", "tags"], r"got --taget\. Did you mean '--target'\?"),
        (["--tagret", "tags"], r"got --tagret\. Did you mean '--target'\?"),
        (["--encodng=latin-1"], r"got --encodng\. Did you mean '--encoding'\?"),
        (["--target", "valu"], r"Expected --target to be .* got 'valu'"),
        (["--reading.missing", "zer"], r"Expected --missing to be "),
        (["--test_fraction", "half"], r"Expected --test_fraction to be a number"),
    ],
)
def test_options_of_reading_are_told_as_they_are_said(words, message):
    with pytest.raises(InputError, match=message):
        parse_run_config(words)


def test_options_of_every_kind():
    words = ["--model=p-lstm", "--bptt", "full", "--lr", "1e-2", "--limit_train=40", "--projection_size=null"]
    found = parse_run_config([*words, "--aux.truth_end=0.25", "--aux.bptt=7", "--out", "runs/a-b"])
    assert found == RunConfig(
        model="p-lstm",
        bptt="full",
        lr=0.01,
        limit_train=40,
        projection_size=None,
        aux=AuxiliaryConfig(truth_end=0.25, bptt=7),
        out="runs/a-b",
    )
    assert isinstance(found.lr, float)
    assert isinstance(found.aux, AuxiliaryConfig)


@pytest.mark.parametrize(
    "words",
    [
        ["pmnist", "--lr", "0.5", "--bptt", "9"],
        ["--lr", "0.5", "pmnist", "--bptt", "9"],
        ["--lr=0.5", "--bptt", "9", "pmnist"],
        ["--lr=0.5", "--data", "pmnist", "--bptt=9"],
        ["--data=pmnist", "--bptt=9", "--lr=0.5"],
    ],
)
def test_data_may_stand_anywhere(words):
    assert parse_run_config(words) == RunConfig(data="pmnist", lr=0.5, bptt=9)


@pytest.mark.parametrize("words", [["digits", "mnist"], ["digits", "--data", "mnist"], ["--data=digits", "mnist"]])
def test_two_data_sets(words):
    with pytest.raises(InputError, match="Expected one data set"):
        parse_run_config(words)


# The file -------------------------------------------------------------------------------------------------------------


def test_print_config_is_complete():
    shown = yaml.safe_load(printed("mnist", "--lr=0.5"))
    assert shown == RunConfig(data="mnist", lr=0.5).to_dict()


def test_what_print_config_shows_gives_the_same_run(file):
    words = ["pmnist", "--model=rp-lstm", "--bptt=full", "--lr=1e-5", "--aux.unfed=blank", "--aux.bptt=full"]
    words += ["--checkpoint_steps=null", "--gradient_clip=null", "--out=runs/x y", "--seed=7"]
    text = printed(*words)
    again = parse_run_config(["--config", file(text)])
    assert again == parse_run_config(words)
    assert printed("--config", file(text)) == text


def test_options_count_above_the_file_wherever_they_stand(file):
    path = file("data: mnist\nlr: 0.5\nhidden_size: 7\naux:\n  weight: 2.0\n  order: reversed\n")
    expected = RunConfig(data="pmnist", lr=0.25, hidden_size=7, aux=AuxiliaryConfig(weight=3.0, order="reversed"))
    own = ["pmnist", "--lr=0.25", "--aux.weight", "3"]
    assert parse_run_config(["--config", path, *own]) == expected
    assert parse_run_config([*own, "--config", path]) == expected
    assert parse_run_config([*own[:2], f"--config={path}", *own[2:]]) == expected


def test_a_later_file_counts_above_an_earlier_one(file):
    first, second = file("lr: 0.5\nseed: 3\n", "a.yaml"), file("lr: 0.25\n", "b.yaml")
    assert parse_run_config(["--config", first, "--config", second]) == RunConfig(lr=0.25, seed=3)


def test_numbers_in_a_file_may_be_written_in_any_way(file):
    assert parse_run_config(["--config", file("lr: 1e-3\nbptt: 300\ncheckpoint_minutes: 5\n")]).lr == 1e-3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected entries as --print_config shows, found nothing"),
        ("# all commented out\n", "found nothing"),
        ("- 1\n- 2\n", "found a list"),
        ("just words", "found a str"),
        ("lr: [1\n", "expected a YAML file of options"),
        (b"lr: \xff\xfe\n", "expected a YAML file of options.*utf-8"),
        ("hiden_size: 5\n", "got 'hiden_size'. Did you mean 'hidden_size'"),
        ("aux:\n  weigth: 5\n", r"got 'aux.weigth'. Did you mean 'aux.weight'"),
        ("model: r-lstn\n", "'r-lstn'. Did you mean 'r-lstm'"),
        ("lr: much\n", "--lr to be a number, got 'much'"),
        ("lr: -1\n", "lr above 0"),
        ("hidden_size: 0\n", "hidden_size of at least 1"),
        ("aux:\n  truth_end: 2\n", r"aux.truth_end between 0 and 1"),
        ("hidden_size: [1, 2]\n", "hidden_size"),
    ],
)
def test_a_file_that_cannot_be_used(file, text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_run_config(["--config", file(text)])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(file(text))


def test_an_error_names_the_file_whose_settings_have_it(file):
    path = file("lr_warmup: 0.5\nhidden_size: 8\n")
    for words in (["--lr=-1"], ["--bptt", "-1"]):  # the file has no part in it
        with pytest.raises(InputError, match=r"^Expected (lr|bptt) "):
            parse_run_config(["--config", path, *words])
    with pytest.raises(InputError, match=r"run\.yaml: Expected a cell with gates"):
        parse_run_config(["--config", file("initialisation: chrono\n"), "--cell", "rnn"])


@pytest.mark.parametrize("text", ["aux.weight: 1\naux:\n  weight: 2\n", "aux:\n  weight: 2\naux.weight: 2\n"])
def test_a_setting_with_a_dot_and_in_its_group(file, text):
    with pytest.raises(InputError, match=r"run\.yaml: aux\.weight was given twice"):
        parse_run_config(["--config", file(text)])


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: expected a YAML file .*No such file"):
        parse_run_config(["--config", str(tmp_path / "none.yaml")])
    with pytest.raises(InputError, match="Is a directory"):
        parse_run_config(["--config", str(tmp_path)])


@pytest.mark.parametrize("tag", ["apply:os.mkdir", "apply:os.system", "new:os.mkdir", "name:os.mkdir"])
def test_a_file_builds_no_objects(file, tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    for text in (f"out: !!python/object/{tag} [made]\n", f"!!python/object/{tag} ['mkdir made']\n"):
        with pytest.raises(InputError, match="expected a YAML file of options"):
            parse_run_config(["--config", file(text)])
    assert not (tmp_path / "made").exists()


# Words that do not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--hiden_size 5", "got --hiden_size. Did you mean '--hidden_size'"),
        ("--hiden_size=5", "got --hiden_size. Did you mean '--hidden_size'"),
        ("--aux.weigth 2", r"got --aux.weigth. Did you mean '--aux.weight'"),
        ("--modle lstm", "Did you mean '--model'"),
        ("--model r-lstn", "got 'r-lstn'. Did you mean 'r-lstm'"),
        ("--cell ltsm", "got 'ltsm'. Did you mean 'lstm'"),
        ("--optimizer rmsporp", "Did you mean 'rmsprop'"),
        ("--lr_schedule cosin", "Did you mean 'cosine'"),
        ("--aux.order revesed", "Did you mean 'reversed'"),
        ("--bptt ful", "a whole number or 'full', got 'ful'"),
        ("--lr abc", "--lr to be a number, got 'abc'"),
        ("--gradient_clip abc", "--gradient_clip to be a number or null, got 'abc'"),
        ("--batch_size 1.5", "--batch_size to be a whole number, got '1.5'"),
        ("--limit_train None", "a whole number or null"),
        ("--seed", "--seed: expected one argument"),
        ("--out --model lstm", "--out: expected one argument"),
        ("--lr --bptt 5", "--lr"),
        ("--aux 5", r"Expected --aux\.OPTION VALUE, got --aux 5"),
        ("--lr -1", "lr above 0, got -1"),
        ("--lr nan", "--lr to be a number, got 'nan'"),
        ("--lr 0", "lr above 0"),
        ("--bptt -1", "bptt of at least 0"),
        ("--hidden_size 0", "hidden_size of at least 1"),
        ("--max_epochs -1", "max_epochs of at least 0"),
        ("--batch_size 0", "batch_size of at least 1"),
        ("--dropout 1", "dropout between 0 and 0.95"),
        ("--validation_fraction 2", "validation_fraction between 0 and 0.9"),
        ("--limit_train 0", "limit_train of at least 1"),
        ("--seed -1", "seed of at least 0"),
        ("--seed 99999999999999999999", r"seed below 2\*\*63"),
        ("--cell rnn --initialisation chrono", "a cell with gates"),
        ("--lr 1 --lr 2", "--lr was given twice"),
        ("--lr=1 --bptt 5 --lr=1", "--lr was given twice"),
        ("--text a --reading.text b", "--text was given twice"),
        ("--print_config=3", "--print_config: takes no value, got --print_config=3"),
        ("--help=all", "--help: takes no value"),
    ],
)
def test_words_that_do_not_fit(words, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_run_config(words.split())
    assert "\n" not in str(caught.value)


def float_settings():
    """The names of all settings that hold real numbers, as options."""
    groups = {"": RunConfig, "aux.": AuxiliaryConfig, "transformer.": TransformerConfig, "reading.": ReadingOptions}
    return [
        f"{group}{name}"
        for group, owner in groups.items()
        for name, hint in get_type_hints(owner).items()
        if float in (hint, *get_args(hint))
    ]


def refused_number(words):
    with pytest.raises(InputError) as caught:
        parse_run_config([*words, "--print_config"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", float_settings())
def test_what_is_no_finite_number_is_refused_before_it_is_shown(file, name):
    group, _, last = name.rpartition(".")
    for value in ("1__0", ".nan", "1e999"):
        text = f"{group}:\n  {last}: {value}\n" if group else f"{name}: {value}\n"
        assert last in refused_number([f"--{name}={value}"])
        assert value in refused_number(["--config", file(text)])


@pytest.mark.parametrize("value", ["-1e999", "inf", "nan", ".inf", "-.inf", "1_0", "0x1", "1:30", "1_0e1", "010"])
def test_numbers_of_yaml_alone_are_refused(file, value):
    assert "lr" in refused_number([f"--lr={value}"])
    assert value in refused_number(["--config", file(f"lr: {value}\n")])
    assert "batch_size" in refused_number(["--batch_size", value])


def test_nothing_is_shown_that_is_no_configuration():
    with pytest.raises(InputError, match="lr above 0"):
        parse_run_config(["--lr=-1", "--print_config"])


def test_reading_options_have_short_names():
    config = parse_run_config(["a.csv", "--text", "3", "--label=no", "--header", "no", "--features", "a,b"])
    assert (config.reading.text, config.reading.label) == ("3", "no")
    assert (config.reading.header, config.reading.features) == ("no", "a,b")
    assert config == parse_run_config(
        ["a.csv", "--reading.text=3", "--reading.label=no", "--reading.header=no", "--reading.features=a,b"]
    )
    with pytest.raises(InputError, match="intrepolate"):
        parse_run_config(["a.csv", "--missing", "intrepolate"])


def test_what_was_said_is_known(file):
    path = file("batch_size: 7\naux:\n  weight: 2\n")
    _, given = parse_given(["a.csv", "--bptt", "5", "--config", str(path)])
    assert given == {"data", "bptt", "batch_size", "aux"}
    assert parse_given([])[1] == frozenset()


@pytest.mark.parametrize("option", ["--cell", "--lr", "--model", "--matmul_precision", "--bptt"])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_value_is_told(option, value):
    with pytest.raises(InputError, match=f"Expected {option} to be "):
        parse_run_config([option, value])


# Recipes --------------------------------------------------------------------------------------------------------------


def test_a_recipe_is_stored_and_what_is_said_beside_it_counts_more():
    config, given = parse_given(["mnist", "--recipe", "paper", "--optimizer", "adam"])
    assert config.recipe == "paper"
    assert config.optimizer == "adam"
    others = {name: value for name, value in RECIPES["paper"].items() if name != "optimizer"}
    assert {name: getattr(config, name) for name in others} == others
    assert given == {"data", "recipe", "optimizer"}


def test_print_config_shows_a_recipe_whole():
    shown = yaml.safe_load(printed("--recipe", "paper"))
    assert shown["recipe"] == "paper"
    assert {name: shown[name] for name in RECIPES["paper"]} == RECIPES["paper"]


def test_an_unknown_recipe_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"Expected --recipe to be .*'paper'.*, got 'papr'\. Did you mean 'paper'\?"):
        parse_run_config(["--recipe", "papr"])
