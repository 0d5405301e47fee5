"""One step: what is random in it, where its gradient is clipped, and what happens when it is not finite."""

from dataclasses import replace

import pytest
import torch

from auxrnn.core.anchors import step_generator
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Loss, Prediction, Reconstruction
from auxrnn.training.phases import Phase
from auxrnn.training.ranks import Ranks
from auxrnn.training.step import STEP_KEY, DivergedError, TrainingStep
from tiny_runs import (
    MODEL,
    TRAINING,
    assert_same_weights,
    make_data,
    make_model,
    newest,
    quiet_aux,
    train_tiny,
    weights_of,
)

# What is random in a step ---------------------------------------------------------------------------------------------


@pytest.fixture
def anchors(monkeypatch):
    """The anchors of every draw of each objective."""
    found = {"reconstruct": [], "predict": []}
    for name, kind in (("reconstruct", Reconstruction), ("predict", Prediction)):
        plain = kind.draw

        def recording(self, lengths, generator, plain=plain, name=name):
            draw = plain(self, lengths, generator)
            found[name].append(tuple(draw.segments.anchor.flatten().tolist()))
            return draw

        monkeypatch.setattr(kind, "draw", recording)
    return found


ONE_BATCH = replace(TRAINING, batch_size=20, checkpoint_steps=None)  # every step has the same sequences


def test_anchors_are_fresh_in_every_step_and_epoch(anchors):
    train_tiny(training=ONE_BATCH)
    for drawn in anchors.values():
        assert len(drawn) == 5
        assert len(set(drawn)) == 5


def test_anchors_differ_between_steps_even_for_the_same_sequences_in_the_same_place(anchors):
    train_tiny(training=replace(TRAINING, batch_size=1, pretrain_epochs=1, max_epochs=0))
    assert all(len(set(drawn)) > 5 for drawn in anchors.values())


def test_anchors_are_a_function_of_the_seed(anchors):
    for seed in (7, 7, 8):
        train_tiny(training=replace(ONE_BATCH, seed=seed), init=seed)
    for drawn in anchors.values():
        assert drawn[0:5] == drawn[5:10]
        assert not set(drawn[0:5]) & set(drawn[10:15])


def one_step(*, step=0, rank=0, phase=0, seed=7):
    """Loss of one step, as (supervised, reconstruct, predict)."""
    found = TrainingStep(
        make_model(),
        Phase("train", ("supervised", "reconstruct", "predict"), 1),
        phase,
        replace(TRAINING, seed=seed),
        MODEL.aux,
        steps_before=0,
        total_steps=0,
        ranks=Ranks(1, rank),
    )
    found.number = step
    torch.manual_seed(torch.seed())  # the global state must not matter
    parts = found.losses(make_data().batch(range(20))).parts
    return tuple(float(loss.total) for loss in parts.values())


def test_a_step_is_a_function_of_seed_phase_step_and_rank():
    keys = [{}, {"step": 1}, {"rank": 1}, {"phase": 1}, {"seed": 8}]
    losses = [one_step(**key) for key in keys]
    assert losses == [one_step(**key) for key in keys]
    for term in zip(*losses, strict=True):  # the supervised term differs by DropConnect alone
        assert len(set(term)) == len(keys)


# The gradient ---------------------------------------------------------------------------------------------------------


def one_step_by_hand(config, clip):
    """The weights after one step of SGD at rate 1 on everything, and the gradient's norm before clipping."""
    model = make_model(config)
    generator = step_generator(STEP_KEY, TRAINING.seed, 0, 0, 0)
    torch.manual_seed(generator.initial_seed())
    order = torch.randperm(20, generator=step_generator(1, TRAINING.seed, 0, 0)).tolist()
    losses = model.losses(make_data().batch(order), ("supervised", "reconstruct", "predict"), 1.0, generator)
    loss = losses["supervised"].mean + config.aux.weight * (losses["reconstruct"].mean + losses["predict"].mean)
    loss.backward()
    norm = torch.cat([weight.grad.flatten() for weight in model.parameters()]).double().norm()
    factor = 1.0 if clip is None else min(1.0, clip / float(norm))
    return {name: weight.detach() - factor * weight.grad for name, weight in model.named_parameters()}, float(norm)


@pytest.mark.parametrize("clip", [1.0, 0.1, None, 1e6])
def test_the_gradient_is_clipped_between_backward_and_step(clip):
    config = replace(MODEL, aux=replace(MODEL.aux, weight=30.0))
    expected, norm = one_step_by_hand(config, clip)
    assert norm > 1.5
    training = replace(
        TRAINING, optimizer="sgd", lr=1.0, gradient_clip=clip, batch_size=20, pretrain_epochs=0, max_epochs=1
    )
    found, rows, _ = train_tiny(config=config, training=training, validation=False)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-5, atol=1e-6)
    assert rows[0]["gradient_norm"] == pytest.approx(norm, rel=1e-5)  # before clipping
    start = make_model(config).state_dict()
    moved = torch.cat([(found[name] - start[name]).flatten() for name in expected]).norm()
    assert float(moved) == pytest.approx(norm if clip is None else min(clip, norm), rel=1e-3)


def test_the_gradient_of_an_earlier_phase_does_not_count():
    """What a phase does not train keeps the last gradient of the phase before: sa-lstm's decoder, say."""
    model = make_model(MODEL)
    step = TrainingStep(
        model, Phase("train", ("supervised",), 1), 1, replace(TRAINING, gradient_clip=1.0), quiet_aux(),
        steps_before=0, total_steps=0,
    )  # fmt: skip
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, 1e6)
    for weight in step.weights:
        weight.grad = torch.full_like(weight, 1e-3)
    step.clip_gradient()
    number = sum(weight.numel() for weight in step.weights)
    assert number < sum(weight.numel() for weight in model.parameters())
    assert step.gradient_norm == pytest.approx(1e-3 * number**0.5, rel=1e-5)


# Not finite -----------------------------------------------------------------------------------------------------------


def poison(monkeypatch, call, term, change):
    """Let `change(loss, model)` spoil one term of the losses at that call."""
    calls = iter(range(1000))
    plain = SequenceClassifier.losses

    def poisoned(model, *arguments):
        losses = plain(model, *arguments)
        if next(calls) == call:
            losses[term] = replace(losses[term], total=change(losses[term].total, model))
        return losses

    monkeypatch.setattr(SequenceClassifier, "losses", poisoned)


def infinite_gradient(total, model):
    """The same value with a gradient of 3e38 on each recurrent weight: finite, but not its norm."""
    weight = model.encoder.core.weight_hh_l0
    return total + 3e38 * (weight - weight.detach()).sum()


SPOILED = {
    "a NaN loss": (
        lambda total, model: total * float("nan"),
        r"the loss is not finite \(.*reconstruct nan, predict \d",
    ),
    "an infinite loss": (lambda total, model: total * float("inf"), r"the loss is not finite \(.*reconstruct inf, pre"),
    "an infinite gradient": (infinite_gradient, "the gradient of norm inf is not finite"),
    "a NaN gradient": (
        lambda total, model: total + torch.sqrt((model.encoder.core.weight_hh_l0 * 0).sum()),
        "the gradient of norm nan is not finite",
    ),
}


@pytest.mark.parametrize(("change", "message"), SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize(("call", "where"), [(4, "phase pretrain at step 4"), (9, "phase train at step 3")])
def test_what_is_not_finite_stops_the_run_at_the_last_good_step(tmp_path, monkeypatch, change, message, call, where):
    config = replace(MODEL, aux=quiet_aux())
    model = make_model(config)
    poison(monkeypatch, call, "reconstruct", change)
    with pytest.raises(DivergedError, match=message) as raised:
        train_tiny(tmp_path, model=model, config=config)
    assert f"Stopped in {where}:" in str(raised.value)
    monkeypatch.undo()

    _, path = newest(tmp_path)
    saved = torch.load(path, weights_only=True)
    good = {name.removeprefix("model."): weight for name, weight in saved["state_dict"].items()}
    assert saved["global_step"] == int(where[-1])
    assert all(bool(torch.isfinite(weight).all()) for weight in good.values())
    assert_same_weights(weights_of(model), good)
    assert f"the last good gradient was {saved['gradient_norm']:.4g}." in str(raised.value)
    assert all(weight.requires_grad for weight in model.parameters())


def test_the_last_good_gradient_is_known_after_resuming_too(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        poison(patched, 4, "reconstruct", lambda total, model: total * float("nan"))
        with pytest.raises(DivergedError) as first:
            train_tiny(tmp_path)
    poison(monkeypatch, 0, "reconstruct", lambda total, model: total * float("nan"))
    with pytest.raises(DivergedError) as second:
        train_tiny(tmp_path, resume=newest(tmp_path))
    assert str(second.value) == str(first.value)


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("written", [True, False])
def test_weights_that_a_step_made_infinite_are_never_kept(tmp_path, validation, written):
    config = replace(MODEL, aux=replace(MODEL.aux, weight=1e4))
    training = replace(
        TRAINING, optimizer="sgd", lr=3e38, gradient_clip=None, batch_size=20, pretrain_epochs=0, max_epochs=1
    )
    with pytest.raises(DivergedError, match=r"the weights are not finite \(encoder"):
        train_tiny(tmp_path if written else None, config=config, training=training, validation=validation)
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_scaler_of_half_precision_is_left_to_skip_its_own_step():
    step = TrainingStep(
        make_model(), Phase("train", ("supervised",), 1), 0, TRAINING, MODEL.aux, steps_before=0, total_steps=1
    )
    for weight in step.weights:
        weight.grad = torch.full_like(weight, float("inf"))
    step.clip_gradient(scaled=True)
    with pytest.raises(DivergedError):
        step.clip_gradient()


def test_a_batch_without_a_token_trains_without_harm():
    assert Loss(torch.zeros(()), 0).mean == 0
    train_tiny(config=replace(MODEL, model="r-lstm"), steps=1)


# Labels alone ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "joint"), [("sa-lstm", None), ("lm-lstm", None), ("r-lstm", False), ("p-lstm", False)]
)
def test_a_decoder_stands_still_while_the_labels_alone_train(model, joint, monkeypatch):
    """No gradient into it, no step of it, and nothing of it in the curve of that phase."""
    config = replace(MODEL, model=model, aux=replace(MODEL.aux, joint=joint))
    plain, seen = TrainingStep.clip_gradient, []

    def spy(self, *given, **named):
        found = {name.split(".")[0] for name, weight in self.model.named_parameters() if weight.grad is not None}
        seen.append((self.phase.name, found))
        return plain(self, *given, **named)

    monkeypatch.setattr(TrainingStep, "clip_gradient", spy)
    network = make_model(config)
    before = weights_of(network)
    weights, rows, _ = train_tiny(model=network, config=config, training=replace(TRAINING, pretrain_epochs=0))
    assert {name for name, _ in seen} == {"train"}
    assert all(found == {"encoder", "supervised"} for _, found in seen)
    assert all("reconstruct" not in row and "predict" not in row for row in rows)
    for name, weight in weights.items():
        assert torch.equal(weight, before[name]) == name.startswith("auxiliaries"), name


def test_the_schedule_runs_over_the_steps_that_have_a_decoder(monkeypatch):
    plain, shares = SequenceClassifier.losses, []

    def spy(self, batch, names, truth_share, generator):
        shares.append((tuple(names), truth_share))
        return plain(self, batch, names, truth_share, generator)

    monkeypatch.setattr(SequenceClassifier, "losses", spy)
    train_tiny(config=replace(MODEL, model="r-lstm", aux=replace(MODEL.aux, joint=False)))
    assert [share for names, share in shares if "reconstruct" in names] == [1 - step / 6 for step in range(6)]
    shares.clear()
    train_tiny(config=replace(MODEL, model="sa-lstm"))
    assert {share for _, share in shares} == {1.0}
