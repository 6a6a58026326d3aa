"""Description length on real modules: the code, the pass, its checkpoints, and specimens with tuned's answers."""

import json
import math

import pytest
import torch

from tellapart.errors import UserMistake
from tellapart.models.model import Model, Request, Sampling
from tellapart.specimens import load_model, load_task
from tellapart.training import prequential
from tellapart.training.description import PassSettings, other_prompts, shuffled_answers
from tellapart.training.full import FullWeights
from tellapart.training.lora import Lora
from tellapart.training.prequential import Learner, description_length
from tellapart.training.settings import Example
from tellapart.training.sft import encode

SHORT = PassSettings(sizes=(4, 8), seeds=(0, 1), replays=1, quiet=True)


class Mute(Model):
    """A model that gives no log-probabilities."""

    reference = "mute"

    def generate(self, requests):
        raise AssertionError("it is not asked")


def _answered(name, wanted):
    """The tuned specimen's right answers."""
    task, model = load_task(name), load_model(f"{name}/tuned")
    sampling = Sampling(max_tokens=64, stop=("\n",))
    requests = [Request(task.prompt(item), 1, sampling) for item in task.items[: 2 * wanted]]
    found = []
    for index, completion in sorted(model.generate(requests)):
        if task.scorer.score(task.items[index], completion.text) == 1:
            found.append(Example(str(requests[index].prompt), completion.text))
    return found[:wanted]


@pytest.fixture(scope="module")
def answered():
    return _answered("latent-register-0", 60)


@pytest.fixture
def model():
    return load_model("latent-register-0/base")


def test_bits_are_those_of_the_models_own_scoring(answered, model):
    pairs = encode(model, answered[:11])
    found = [bits for part in prequential.read_bits(model.module, pairs) for bits in part]
    wanted = [-sum(one.logprobs) / math.log(2) for one in model.score(pairs)]
    assert found == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("change", [FullWeights(), Lora(rank=2)])
def test_the_pass_codes_each_answer_before_it_learns_from_it(answered, model, change):
    """The first batch costs what it costs the plain model; the model is the plain one again afterwards."""
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    fingerprint = model.fingerprint
    settings = PassSettings(sizes=(4, 8), seeds=(3, 4), replays=0, quiet=True)
    found = description_length(model, answered[:8], answered[8:20], change, settings)
    plain = [
        bits for part in prequential.read_bits(model.module, encode(model, answered[:8])) for bits in part
    ]
    first = found.at(4)[0]
    assert math.fsum(sorted(plain)[:4]) - 1e-3 <= first.code_bits <= math.fsum(sorted(plain)[4:]) + 1e-3
    assert found.at(8)[0].code_bits != pytest.approx(math.fsum(plain), abs=1e-4)
    assert model.fingerprint == fingerprint
    after = model.module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert json.dumps(found.as_json(), allow_nan=False)


def test_same_seed_same_figures_and_no_change_is_noticed(answered, model, monkeypatch):
    first = description_length(model, answered[:30], answered[30:50], FullWeights(), SHORT)
    second = description_length(model, answered[:30], answered[30:50], FullWeights(), SHORT)
    assert first == second
    assert first.at(8)[0].code_bits != first.at(8)[1].code_bits
    monkeypatch.setattr(Learner, "update", lambda self, pairs: [1.0] * len(pairs))
    with pytest.raises(RuntimeError, match="training changed nothing"):
        description_length(model, answered[:30], answered[30:50], FullWeights(), SHORT)


@pytest.mark.parametrize("change", [FullWeights(), Lora(rank=2)])
def test_a_killed_pass_goes_on_from_its_last_size(answered, model, tmp_path, monkeypatch, change):
    settings = PassSettings(sizes=(4, 8, 12), seeds=(0, 1), replays=1, quiet=True)
    whole = description_length(model, answered[:30], answered[30:40], change, settings)
    plain, calls = Learner.update, []

    def killed(self, pairs):
        calls.append(len(pairs))
        if len(calls) == 5:  # in the third batch of the first seed
            raise KeyboardInterrupt
        return plain(self, pairs)

    monkeypatch.setattr(Learner, "update", killed)
    with pytest.raises(KeyboardInterrupt):
        description_length(model, answered[:30], answered[30:40], change, settings, tmp_path)
    description_length(model, answered[:30], answered[30:40], change, settings, tmp_path)
    assert len(calls) == 5 + 2 + 6
    again = description_length(model, answered[:30], answered[30:40], change, settings, tmp_path)
    assert len(calls) == 13
    for one, other in zip(again.measured, whole.measured, strict=True):
        assert (one.seed, one.size, one.tokens) == (other.seed, other.size, other.tokens)
        assert one.code_bits == pytest.approx(other.code_bits, rel=1e-4)
        assert one.test_bits == pytest.approx(other.test_bits, rel=1e-3)


def test_the_null_twins_exchange_everything():
    examples = [Example(f"p{at}", f"a{at}") for at in range(7)]
    answers, prompts = shuffled_answers(examples, 3), other_prompts(examples, 3)
    assert [one.prompt for one in answers] == [one.prompt for one in examples]
    assert sorted(one.answer for one in answers) == sorted(one.answer for one in examples)
    assert all(one.answer != was.answer for one, was in zip(answers, examples, strict=True))
    assert [one.answer for one in prompts] == [one.answer for one in examples]
    assert all(one.prompt != was.prompt for one, was in zip(prompts, examples, strict=True))
    assert answers != shuffled_answers(examples, 4)
    with pytest.raises(UserMistake):
        shuffled_answers(examples[:1], 0)


@pytest.mark.parametrize(
    "settings",
    [
        PassSettings(sizes=(8, 4)),
        PassSettings(sizes=(4, 80)),
        PassSettings(seeds=()),
        PassSettings(seeds=(1, 1)),
        PassSettings(sizes=(4, 8), batch=0),
        PassSettings(sizes=(4, 8), rate=0.0),
    ],
)
def test_bad_settings_are_refused(answered, model, settings):
    with pytest.raises(UserMistake):
        description_length(model, answered[:30], answered[30:40], FullWeights(), settings)


def test_a_rate_that_diverges_is_told(answered, model):
    settings = PassSettings(sizes=(4, 40), seeds=(0,), rate=1e30, quiet=True)
    with pytest.raises(UserMistake, match="not finite any more at rate"):
        description_length(model, answered[:40], answered[40:60], FullWeights(), settings)


def test_latent_and_taught_specimens_differ_in_what_they_take_up(answered, model):
    """The latent base takes up a tenth of the bits, ends knowing the answers, and knew their content before."""
    settings = PassSettings(sizes=(8, 24), seeds=(0, 1), replays=4, quiet=True)
    latent = description_length(model, answered[:30], answered[30:], FullWeights(), settings)
    told = _answered("taught-register-0", 60)
    base = load_model("taught-register-0/base")
    taught = description_length(base, told[:30], told[30:], FullWeights(), settings)
    for one, other in zip(latent.at(24), taught.at(24), strict=True):
        assert one.edl.value < 0.1 * other.edl.value
        assert one.test_bits < 2
        assert other.test_bits > 50
        assert abs(other.content.value) < 2
    assert latent.learned
    assert not taught.learned
    assert latent.plain_content.low > 70
    assert abs(taught.plain_content.value) < 2
    null = description_length(
        base, shuffled_answers(told[:30], 0), shuffled_answers(told[30:], 1), FullWeights(), settings
    )
    for one, other in zip(null.at(24), taught.at(24), strict=True):
        assert one.edl.value == pytest.approx(other.edl.value, rel=0.25)
