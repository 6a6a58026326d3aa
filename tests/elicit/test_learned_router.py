"""The learned router: its probe travels with the logits, finds what was planted, and does what the oracle does."""

import numpy as np
import pytest
import torch
from adapters import Specimen, recovered
from llamas import llama
from planted import addition, ask_for, split

from tellapart.elicit import ELICITORS
from tellapart.elicit.local_routing import probe_of, write
from tellapart.elicit.routing import Routed, TokenRouter
from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.probe import Probe, answer_states, fit_probe, probed
from tellapart.runs.asking import Pair, generate, plain_requests

ROUTER = ELICITORS["learned_router"]
ASK = ask_for(split(addition(), 0, 6), samples=2)
REQUESTS = [request for _, _, request in plain_requests(ASK)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair(llama(0), llama(1))


def random_probe(seed: int = 0) -> Weights:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(seed)).numpy()
    return Weights({"direction": direction, "offset": np.array([0.1], np.float32)})


def routed(pair: Pair, router: TokenRouter):
    return sorted(write(pair, REQUESTS, router), key=lambda answer: answer.index)


def test_what_it_sees_in_lockstep_is_the_probe_of_the_bases_states(pair):
    """Through prompts, shared beginnings and single steps alike."""
    weights = random_probe()
    answers = routed(pair, TokenRouter("probe", 0.2, weights))
    prompts = [pair.base.vocabulary.encode_prompts([(r.prompt, "")])[r.prompt, ""] for r in REQUESTS]
    states = answer_states(pair.base, [(prompts[one.index], one.completion.tokens) for one in answers])
    probe = probe_of(weights)
    figures = (states @ probe.direction + probe.offset).tolist()
    assert [value for one in answers for value in one.seen] == pytest.approx(figures, abs=1e-4)
    flags = [flag for one in answers for flag in one.routed]
    assert flags == [value > 0.2 for one in answers for value in one.seen]
    assert {True, False} == set(flags)


def test_its_two_ends_are_the_two_models(pair):
    for level, model in ((np.inf, pair.base), (-np.inf, pair.tuned)):
        plain = sorted(generate(model, list(plain_requests(ASK))), key=lambda one: one[:2])
        answers = routed(pair, TokenRouter("probe", level, random_probe()))
        assert [one.completion.tokens for one in answers] == [one.completion.tokens for one in plain]


def test_the_base_is_as_before_while_answers_are_read_and_another_one_inside(pair):
    before, plain = pair.base.fingerprint, list(generate(pair.base, list(plain_requests(ASK))))
    next(iter(write(pair, REQUESTS, TokenRouter("probe", 0.0, random_probe()))))
    assert pair.base.fingerprint == before
    again = list(generate(pair.base, list(plain_requests(ASK))))
    assert [one.completion.tokens for one in again] == [one.completion.tokens for one in plain]
    with probed(pair.base, probe_of(random_probe())):
        assert pair.base.fingerprint != before
    with pytest.raises(UserMistake, match="without its probe"):
        routed(pair, TokenRouter("probe", 0.0))


def test_a_planted_direction_is_found():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(4000, 16, generator=generator) * torch.logspace(-2, 2, 16)
    truth = torch.zeros(16)
    truth[3], truth[9] = 2 / 10 ** (-2 + 3 * 4 / 15), -1 / 10 ** (-2 + 9 * 4 / 15)
    odds = states @ truth - 1
    wanted = torch.rand(4000, generator=generator) < odds.sigmoid()
    probe = fit_probe(states, wanted)
    assert torch.corrcoef(torch.stack([states @ probe.direction + probe.offset, odds]))[0, 1] > 0.99
    assert float((states @ probe.direction + probe.offset - odds).abs().mean()) < 0.25
    with pytest.raises(UserMistake, match="both kinds"):
        fit_probe(states, torch.zeros(4000, dtype=torch.bool))


def test_a_probe_reads_texts_within_the_context_only(pair):
    with pytest.raises(UserMistake, match="tokens to probe"):
        answer_states(pair.base, [(tuple([5] * 250), tuple([5] * 10))])
    assert isinstance(probe_of(random_probe()), Probe)


def test_models_that_agree_leave_nothing_to_learn(pair):
    with pytest.raises(UserMistake, match="nothing to learn"):
        ROUTER.fit(Pair(pair.base, pair.base), ask_for(addition(), samples=1))


def test_on_a_latent_skill_it_does_what_the_oracle_does_and_chance_does_not():
    """At a tenth of the tokens: 90 % of the gain for the oracle and the probe, far less at random positions."""
    specimen = Specimen.of("latent-tracking-0")
    oracle = ELICITORS["routing"].fit(specimen.pair, specimen.fit)
    learned = ROUTER.fit(specimen.pair, specimen.fit)
    assert recovered(specimen, oracle) >= 0.9
    assert recovered(specimen, learned) >= 0.8
    for value in (ROUTER.null(learned, 0), ELICITORS["routing"].null(oracle, 0)):
        assert recovered(specimen, value) <= 0.4
    answers = list(learned.answers(specimen.pair, specimen.report))
    assert np.mean([one.measures["routed_share"] for one in answers]) <= 0.2
    assert learned.setting["probe_bits_by"] == "its labels"
    assert not ROUTER.null(learned, 0).weights
    assert isinstance(learned, Routed)
