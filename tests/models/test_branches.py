"""Prompts that share more than a beginning with one another are read from where they leave it, and answer alike."""

from random import Random

import pytest
import torch
from tiny import ARCHITECTURES, model_of

from tellapart.models import families as grouping
from tellapart.models.families import families, trunks
from tellapart.models.model import Request, Sampling

HEADER = "these are the questions put to us: "
QUESTIONS = ("who is it that asks?", "when was that, and where?")
STEPS = " we look. then we think. then, we write"
CUTS = (0, 9, 24, len(STEPS))
SAMPLINGS = (Sampling(max_tokens=9), Sampling(0.8, max_tokens=12))


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def model(request):
    return model_of(request.param)


def prompts(header: str) -> list[str]:
    return [f"{header}{question}{STEPS[:cut]} so:" for question in QUESTIONS for cut in CUTS]


@pytest.fixture
def read(monkeypatch):
    """Tokens put to a module, with their padding, since the last `clear()`."""
    seen: list[int] = []

    def watch(model):
        plain = model.module.forward

        def forward(*args, **kwargs):
            seen.append(kwargs["input_ids"].numel())
            return plain(*args, **kwargs)

        monkeypatch.setattr(model.module, "forward", forward)
        return seen

    return watch


@pytest.mark.parametrize("header", ["", HEADER])
def test_answers_are_those_of_prompts_read_by_themselves(model, header):
    asked = [
        Request(prompt, seed=at, sampling=SAMPLINGS[at % 2]) for at, prompt in enumerate(prompts(header))
    ]
    together = dict(model.generate(asked))
    for at, request in enumerate(asked):
        alone = dict(model.generate([request]))[0]
        assert together[at].tokens == alone.tokens
        assert together[at].logprobs == pytest.approx(alone.logprobs, abs=1e-4)


@pytest.mark.parametrize("header", ["", HEADER])
def test_scores_are_those_of_pairs_read_by_themselves(model, header):
    pairs = [(prompt, end) for prompt in prompts(header) for end in (" yes.", " no", " not known.")]
    for pair, found in zip(pairs, model.score(pairs), strict=True):
        assert 0 < len(found.logprobs) == len(pair[1])
        assert found.logprobs == pytest.approx(model.score([pair])[0].logprobs, abs=1e-4)


def test_a_question_is_read_once_for_all_its_arms(read):
    model = model_of("llama")
    asked = [Request(prompt, sampling=Sampling(max_tokens=1)) for prompt in prompts(HEADER)]
    seen = read(model)
    dict(model.generate(asked))
    longest = [len(HEADER + question + STEPS) for question in QUESTIONS]
    apart = sum(len(request.prompt) for request in asked)
    assert sum(seen) < len(HEADER) + sum(longest) < apart / 2


def test_options_of_an_item_are_read_with_its_prompt_once(read):
    model = model_of("llama")
    seen = read(model)
    model.score([(question, option) for question in QUESTIONS for option in (" (a)", " (b)", " (c)", " (d)")])
    assert sum(seen) < 2 * sum(map(len, QUESTIONS))


def test_trunks_are_the_longest_and_branches_leave_where_they_differ():
    base = tuple(range(100, 140))
    long, short, other = (*base, 1, 2, 3, 9), (*base, 1, 9), tuple(range(20))
    members = [short, other, long, base]
    most = {one: len(one) - 1 for one in members}
    assert trunks(members, 0, most) == {long: {short: 41, base: 39}, other: {}}
    assert trunks(members, 30, most) == {long: {}, short: {}, base: {}, other: {}}
    assert trunks(members, 0, most | {short: 20})[long] == {short: 20, base: 39}
    (only,) = families(most)
    assert (only.shared, only.members) == (0, [long, short, base, other])


def test_many_of_one_beginning_are_a_family():
    base = tuple(range(100, 140))
    members = [(*base, at, at) for at in range(grouping.FEW + 1)]
    (only,) = families({one: len(one) - 1 for one in members})
    assert only.shared == 40


def read_in_all(most: dict[tuple[int, ...], int]) -> int:
    """Check what must hold of any grouping; return how many tokens it reads."""
    tokens, seen = 0, []
    for family in families(most):
        tokens += family.shared
        begin = family.members[0][: family.shared]
        found = trunks(family.members, family.shared, most)
        assert sorted([*found, *(one for branches in found.values() for one in branches)]) == sorted(
            family.members
        )
        for trunk, branches in found.items():
            tokens += len(trunk) - family.shared
            assert trunk[: family.shared] == begin
            assert family.shared <= most[trunk]
            for one, start in branches.items():
                tokens += len(one) - start
                assert family.shared <= start <= most[one]
                assert one[:start] == trunk[:start]
        seen += family.members
    assert sorted(seen) == sorted(most)
    return tokens


def drawn(rng: Random, header: int, body: int, arms: int) -> list[tuple[int, ...]]:
    begin = [rng.randrange(5) for _ in range(header)]
    made = []
    for _ in range(30):
        question = [*begin, *(rng.randrange(5) for _ in range(body))]
        made += [(*question, *(rng.randrange(5) for _ in range(12))) for _ in range(arms)]
    return made


def test_any_grouping_holds_every_sequence_once_under_a_trunk_that_begins_like_it():
    rng = Random(0)
    for _ in range(60):
        sequences = drawn(rng, rng.choice((0, 20, 40, 150)), rng.choice((0, 3, 40, 90)), rng.randrange(1, 9))
        sequences += [one[: rng.randrange(1, len(one) + 1)] for one in rng.choices(sequences, k=10)]
        most = {one: rng.choice((len(one) - 1, rng.randrange(len(one)))) for one in sequences}
        assert read_in_all(most) <= sum(map(len, most)) + grouping.LEAST_SHARED


@pytest.mark.parametrize(("header", "body"), [(0, 60), (20, 60), (25, 250), (40, 60), (150, 60), (150, 250)])
def test_arms_share_their_question_whatever_header_all_questions_share(header, body):
    sequences = drawn(Random(0), header, body, arms=8)
    least = header + 30 * body + len(sequences) * 12
    own = least if header >= grouping.LEAST_SHARED else least + 29 * header
    assert read_in_all({one: len(one) - 1 for one in sequences}) <= own


def test_scores_of_branches_survive_a_full_memory(monkeypatch):
    model = model_of("llama")
    long = "who is it that asks? " * 4
    pairs = [(long + middle, end) for middle in ("", "a", "and then bb") for end in (" yes.", " no")]
    alone = [model.score([pair])[0].logprobs for pair in pairs]
    plain, rows = model.module.forward, []

    def forward(*args, **kwargs):
        rows.append(len(kwargs["input_ids"]))
        if rows[-1] > 1:
            raise torch.OutOfMemoryError
        return plain(*args, **kwargs)

    monkeypatch.setattr(model.module, "forward", forward)
    for expected, found in zip(alone, model.score(pairs), strict=True):
        assert found.logprobs == pytest.approx(expected, abs=1e-4)
    assert max(rows) > 1


def test_branches_that_leave_early_keep_the_logits_of_their_ends_alone(monkeypatch):
    model = model_of("llama")
    pairs = [(f"{'the same beginning'}{letter * 60}", end) for letter in "abc" for end in (" yes.", " no")]
    alone = [model.score([pair])[0].logprobs for pair in pairs]
    plain, columns = model.module.forward, []

    def forward(*args, **kwargs):
        output = plain(*args, **kwargs)
        columns.append(output.logits.shape[1])
        return output

    monkeypatch.setattr(model.module, "forward", forward)
    monkeypatch.setattr(grouping, "DEEPEST", 0)
    for expected, found in zip(alone, model.score(pairs), strict=True):
        assert found.logprobs == pytest.approx(expected, abs=1e-4)
    assert max(columns) < 10
