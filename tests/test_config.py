import dataclasses
import inspect
import subprocess
import sys
import typing

import pytest

from auxrnn.config import (
    MODELS,
    OWN_CORE,
    RECIPES,
    AuxiliaryConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    TransformerConfig,
    steps_or_none,
    with_groups,
)
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError


def test_defaults_are_the_papers() -> None:
    """Trinh et al. 2018: 128 cells, input projected to 128, K 300, n 1, l 600, batch 128, RMSProp at 0.001."""
    config = RunConfig()
    assert (config.cell, config.hidden_size, config.projection_size, config.num_layers) == ("lstm", 128, 128, 1)
    assert (config.bptt, config.num_anchors, config.segment_length) == (300, 1, 600)
    assert (config.regulariser, config.dropout) == ("dropconnect", 0.5)
    aux = config.auxiliary_options
    assert (aux.decoder_layers, aux.weight, aux.order, aux.joint, aux.direction) == (2, 1.0, "forward", True, "past")
    assert (aux.anchors, aux.reach, aux.truth_schedule, aux.prediction_layers) == ("uniform", "segment", "linear", 1)
    assert (config.batch_size, config.optimizer, config.lr, config.gradient_clip) == (128, "rmsprop_tf", 1e-3, 1.0)
    assert config.validation_fraction == 0.1
    assert config.initialisation == "tensorflow"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_holds_settings_that_there_are(name: str) -> None:
    assert RunConfig(**with_groups({"recipe": name, **RECIPES[name]})).recipe == name


def test_the_recipe_paper_is_what_the_defaults_are() -> None:
    assert {name: getattr(RunConfig(), name) for name in RECIPES["paper"]} == RECIPES["paper"]


def test_raw_steps_of_a_token() -> None:
    assert ModelConfig().token_steps == 1
    assert ModelConfig(stem="conv", stride=8).token_steps == 8
    for rate in (22_050, 8000, 100, 10):
        encoder = build_model(ModelConfig(stem="logmel", sample_rate=rate), InputSpec("values", 1), 2).encoder
        assert ModelConfig(stem="logmel", sample_rate=rate).token_steps == encoder.stride


def test_models_by_name() -> None:
    names = typing.get_args(typing.get_type_hints(ModelConfig)["model"])
    assert set(names) == set(MODELS)
    assert ModelConfig(model="lstm").auxiliaries == ()
    assert ModelConfig(model="r-lstm").auxiliaries == ("reconstruct",)
    assert ModelConfig(model="p-lstm").auxiliaries == ("predict",)
    assert ModelConfig(model="rp-lstm").auxiliaries == ("reconstruct", "predict")
    assert ModelConfig(model="sa-lstm").auxiliaries == ("reconstruct",)
    assert ModelConfig(model="lm-lstm").auxiliaries == ("predict",)
    assert {ModelConfig(model=name).auxiliaries for name in OWN_CORE} == {()}


def test_pretrained_models_have_the_options_of_dai_and_le() -> None:
    """Dai & Le 2015: from the sequence's end, teacher-forced, one layer; then the labels alone."""
    autoencoder = ModelConfig(model="sa-lstm").auxiliary_options
    assert (autoencoder.anchors, autoencoder.truth_schedule, autoencoder.decoder_layers) == ("end", "constant", 1)
    assert (autoencoder.reach, autoencoder.joint, autoencoder.truth_start) == ("bptt", False, 1.0)
    language = ModelConfig(model="lm-lstm").auxiliary_options
    assert (language.prediction_layers, language.joint, language.anchors) == (0, False, "uniform")


def test_an_option_given_counts_whatever_the_model() -> None:
    given = AuxiliaryConfig(joint=True, anchors="late", decoder_layers=3)
    found = ModelConfig(model="sa-lstm", aux=given).auxiliary_options
    assert (found.joint, found.anchors, found.decoder_layers, found.reach) == (True, "late", 3, "bptt")
    assert AuxiliaryConfig().filled("r-lstm").filled("sa-lstm") == AuxiliaryConfig().filled("r-lstm")


def test_groups_from_plain_settings() -> None:
    plain = {"model": "transformer", "aux": {"weight": 2.0}, "transformer": {"layers": 5}}
    assert ModelConfig(**with_groups(plain)) == ModelConfig(
        model="transformer", aux=AuxiliaryConfig(weight=2.0), transformer=TransformerConfig(layers=5)
    )
    assert ModelConfig(**with_groups({"model": "lstm"})) == ModelConfig(model="lstm")  # as written before there was one


def test_a_run_is_a_model_and_a_training_and_a_dataset() -> None:
    config = RunConfig(model="p-lstm", hidden_size=7, lr=0.5, data="mnist", aux=AuxiliaryConfig(truth_end=0.25))
    alone = config.model_config()
    assert type(alone) is ModelConfig
    assert alone == ModelConfig(model="p-lstm", hidden_size=7, aux=AuxiliaryConfig(truth_end=0.25))


def test_to_dict_is_plain_and_complete() -> None:
    config = RunConfig(aux=AuxiliaryConfig(bptt="full"), limit_train=5)
    plain = config.to_dict()
    assert set(plain) == {item.name for item in dataclasses.fields(RunConfig)}
    assert RunConfig(**with_groups(plain)) == config


@pytest.mark.parametrize("kind", [AuxiliaryConfig, TransformerConfig, ModelConfig, TrainingConfig, RunConfig])
def test_every_setting_is_documented_in_order(kind: type) -> None:
    """The command line shows these lines as its help."""
    fields = list(vars(kind)["__annotations__"])
    listed = inspect.cleandoc(kind.__doc__ or "").split("Parameters\n----------\n")[1]
    documented = [line for line in listed.splitlines() if not line.startswith(" ")]
    assert documented == fields


def test_a_setting_cannot_be_changed_behind_ones_back() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().lr = 1.0  # type: ignore[misc]


def test_steps_or_none() -> None:
    assert steps_or_none("full") is None
    assert steps_or_none(0) == 0
    assert steps_or_none(300) == 300


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"bptt": -1}, "bptt of at least 0, got -1"),
        ({"hidden_size": 0}, "hidden_size of at least 1, got 0"),
        ({"projection_size": 0}, "projection_size of at least 1"),
        ({"num_layers": 0}, "num_layers of at least 1"),
        ({"num_layers": 10**6}, "num_layers of at most 1000, got 1000000"),
        ({"num_anchors": 0}, "num_anchors of at least 1"),
        ({"segment_length": 0}, "segment_length of at least 1"),
        ({"segment_length": 1}, "segment_length of at least 2 with model r-lstm, got 1: a reconstruction is given"),
        ({"segment_length": 1, "model": "sa-lstm"}, "segment_length of at least 2 with model sa-lstm"),
        ({"dropout": 1.0}, "dropout between 0 and 0.95, got 1.0"),
        ({"cell": "rnn", "initialisation": "chrono"}, "a cell with gates with initialisation chrono"),
        ({"cell": "rnn", "initialisation": "forget"}, "a cell with gates with initialisation forget"),
        ({"model": "irnn", "cell": "gru"}, "no cell with model irnn, which has its own, got gru"),
        ({"model": "urnn", "cell": "rnn"}, "no cell with model urnn"),
        ({"model": "transformer", "cell": "gru"}, "no cell with model transformer"),
        ({"model": "irnn", "initialisation": "chrono"}, "a cell with gates with initialisation chrono, got irnn"),
        ({"model": "urnn", "initialisation": "forget"}, "a cell with gates with initialisation forget, got urnn"),
        ({"model": "transformer", "initialisation": "chrono"}, "initialisation chrono, got transformer"),
        ({"model": "urnn", "num_layers": 2}, "num_layers 1 with model urnn, got 2"),
        ({"cell": "lru", "max_phase": 0.0}, "max_phase above 0 and at most 2 pi, got 0.0"),
        ({"cell": "lru", "max_phase": 7.0}, "max_phase above 0 and at most 2 pi, got 7.0"),
        ({"max_phase": 1.0}, "cell lru with max_phase, got lstm"),
        ({"identity_scale": -1.0}, "identity_scale of at least 0"),
        ({"pretrain_epochs": -1}, "pretrain_epochs of at least 0"),
        ({"max_epochs": -1}, "max_epochs of at least 0"),
        ({"seed": -1}, "seed .* 0.*got -1"),
        ({"seed": 2**63}, "seed .* got 9223372036854775808"),
        ({"num_workers": -1}, "num_workers of at least 0"),
        ({"batch_size": 0}, "batch_size of at least 1"),
        ({"devices": 0}, "devices of at least 1"),
        ({"patience": 0}, "patience of at least 1"),
        ({"checkpoint_steps": 0}, "checkpoint_steps of at least 1"),
        ({"checkpoint_minutes": 0}, "checkpoint_minutes above 0"),
        ({"lr": 0.0}, "lr above 0, got 0.0"),
        ({"lr": float("nan")}, "lr to be a finite number, got nan"),
        ({"gradient_clip": -1.0}, "gradient_clip above 0"),
        ({"validation_fraction": 0.95}, "validation_fraction between 0 and 0.9"),
        ({"limit_train": 0}, "limit_train of at least 1"),
        ({"limit_classes": 1}, "limit_classes of at least 2"),
        ({"max_vocabulary": 0}, "max_vocabulary of at least 1"),
        ({"grey": 1}, "grey to be true or false"),
    ],
)
def test_run_refuses(setting: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(**setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"weight": -0.1}, "aux.weight of at least 0"),
        ({"weight": float("nan")}, "aux.weight to be a finite number, got nan"),
        ({"bptt": -1}, "aux.bptt of at least 0"),
        ({"decoder_layers": 0}, "aux.decoder_layers of at least 1"),
        ({"prediction_layers": 10**6}, "aux.prediction_layers of at most 1000"),
        ({"prediction_layers": -1}, "aux.prediction_layers of at least 0"),
        ({"joint": 1}, "aux.joint to be true or false or None, got 1"),
        ({"anchors": "last"}, "Expected aux.anchors to be 'uniform' or 'end'"),
        ({"direction": "futur"}, "Did you mean 'future'"),
        ({"reach": "share"}, "Did you mean 'shared'"),
        ({"truth_schedule": "expo"}, "aux.truth_schedule to be 'linear'"),
        ({"decoder_hidden_size": 0}, "aux.decoder_hidden_size of at least 1"),
        ({"truth_start": 1.1}, "aux.truth_start between 0 and 1, got 1.1"),
        ({"truth_end": -0.1}, "aux.truth_end between 0 and 1"),
    ],
)
def test_auxiliary_refuses(setting: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AuxiliaryConfig(**setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"layers": 0}, "transformer.layers of at least 1"),
        ({"width": 30, "heads": 4}, "multiple of transformer.heads, got 30 and 4"),
        ({"width": 5, "heads": 1}, "even transformer.width with sinusoidal"),
        ({"dropout": 1.0}, "transformer.dropout between 0 and 0.95"),
        ({"positions": "learnt"}, "Did you mean 'learned'"),
        ({"causal": "yes"}, "transformer.causal to be true or false, got 'yes'"),
    ],
)
def test_transformer_refuses(setting: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TransformerConfig(**setting)


@pytest.mark.parametrize(
    "setting",
    [
        {"bptt": "full"},
        {"bptt": 0},
        {"projection_size": None},
        {"model": "p-lstm", "segment_length": 1},
        {"dropout": 0.0},
        {"pretrain_epochs": 0},
        {"max_epochs": 0},
        {"gradient_clip": None},
        {"patience": None},
        {"validation_fraction": 0.0},
        {"checkpoint_steps": None, "checkpoint_minutes": None},
        {"aux": AuxiliaryConfig(bptt=0, weight=0.0)},
    ],
)
def test_what_may_be_left_out_may(setting: dict) -> None:
    RunConfig(**setting)


def test_loads_no_torch() -> None:
    code = "import sys, auxrnn.config; print(sorted({'torch', 'lightning', 'numpy'} & set(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"bptt": None}, "Expected bptt to be 'full' or a whole number, got None"),
        ({"hidden_size": "abc"}, "Expected hidden_size to be a whole number, got 'abc'"),
        ({"batch_size": 2.5}, "Expected batch_size to be a whole number, got 2.5"),
        ({"optimizer": "adm"}, "got 'adm'. Did you mean 'adam'?"),
        ({"model": "x-lstm"}, "got 'x-lstm'. Did you mean"),
        ({"aux": {"weight": 1.0}}, "Expected aux to be a group of options"),
        ({"data": None}, "Expected data to be a text, got None"),
        ({"data": "a\udcff.csv"}, "Expected data to be a name in UTF-8, got 'a\\udcff.csv'; rename it"),
        ({"out": "\udcff"}, "Expected out to be a name in UTF-8"),
    ],
)
def test_every_setting_is_of_its_type_wherever_it_came_from(setting, message):
    with pytest.raises(InputError) as refused:
        RunConfig(**setting)
    assert message in str(refused.value)
