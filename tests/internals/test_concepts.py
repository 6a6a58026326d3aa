"""Concepts in language models: the file format, directions of planted signals, margins and interchanges by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "models"))
from tiny import ARCHITECTURES, model_of

from tellapart.errors import UserMistake
from tellapart.internals.concepts import ConceptPair, halves, read_concepts
from tellapart.internals.directions import METHODS
from tellapart.internals.entanglement import cross_share, matrix_ratio
from tellapart.internals.interchange import Question, margins
from tellapart.internals.language import Bench, read_half
from tellapart.models.hooks import reading

LINE = '{"concept": "c", "context": "x", "positive": "a%d", "negative": "b%d"}\n'


def test_a_file_is_read_and_halved(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text("".join(LINE % (i, i) for i in range(6)) + "\n")
    pairs = read_concepts(str(path))
    fit, report = halves(pairs)
    assert len(pairs) == 6
    assert {*fit} | {*report} == {*pairs}
    assert not {*fit} & {*report}


@pytest.mark.parametrize("family", ["register", "tracking"])
def test_bundled_pairs_show_the_concept(family: str) -> None:
    pairs = read_concepts(f"specimen:{family}")
    assert len(pairs) == len(set(pairs)) >= 80
    assert all(len(pair.positive) == len(pair.negative) for pair in pairs)
    assert pairs == read_concepts(f"specimen:{family}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no pairs"),
        ("{\n", "not JSON"),
        ("[]\n", "give an object"),
        ("[" * 100_000, "not JSON"),
        (LINE % (1, 1), "too few points"),
        ('{"concept": "", "context": "x", "positive": "a", "negative": "b"}', "concept is ''"),
        ('{"concept": "c", "context": "x", "positive": NaN, "negative": "b"}', "positive is nan"),
        ('{"concept": "c", "context": "x", "positive": "a", "negative": "a"}', "both prompts"),
        ('{"concept": "c", "context": "x", "positive": "a", "negative": "b", "extra": 1}', "unknown field"),
        (
            '{"concept": "c", "context": "x", "positive": "a", "negative": "b", "positive_answer": "d"}',
            "one answer",
        ),
    ],
)
def test_bad_files_give_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(UserMistake, match=says) as told:
        read_concepts(str(path))
    assert "\n" not in str(told.value)
    with pytest.raises(UserMistake, match="cannot be read"):
        read_concepts(str(tmp_path / "none.jsonl"))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_finds_a_planted_direction(method: str) -> None:
    random = np.random.default_rng(0)
    planted = np.eye(12)[3]
    base = random.standard_normal((80, 12))
    positive, negative = (base + sign * planted + 0.1 * random.standard_normal((80, 12)) for sign in (1, -1))
    found = METHODS[method](positive, negative)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert found @ planted > 0.9


def test_cross_effects_of_known_matrices() -> None:
    assert matrix_ratio(np.eye(4)) == pytest.approx(4)
    assert matrix_ratio(np.ones((4, 4))) == pytest.approx(1)
    assert cross_share(np.array([[1.0, 0.25], [0.75, 1.0]])) == pytest.approx(0.5)
    assert np.isnan(matrix_ratio(np.zeros((2, 2))))


QUESTIONS = [Question("abc", "d", "ef"), Question("hello", "x", "y"), Question("ab", "cd", "a")]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_margins_are_the_models_own_and_a_whole_interchange_is_the_other_prompt(kind: str) -> None:
    model = model_of(kind)
    scored = model.score([(q.prompt, answer) for q in QUESTIONS for answer in (q.positive, q.negative)])
    wanted = [sum(scored[2 * at].logprobs) - sum(scored[2 * at + 1].logprobs) for at in range(3)]
    np.testing.assert_allclose(margins(model, QUESTIONS).numpy(), wanted, atol=2e-4)
    np.testing.assert_allclose(margins(model, QUESTIONS, 1, torch.zeros(3, 32)).numpy(), wanted, atol=2e-4)
    # after the last layer the state of the last token alone decides a one-token answer
    pairs = [ConceptPair("c", "x", f"ab{i}", f"cd{i}", "e", "f") for i in range(3)]
    half = read_half(model, pairs)
    bench = Bench(model, half, half, 2)
    at = np.arange(3)
    np.testing.assert_allclose(bench.interchange(at, None).mean(), 1, atol=2e-3)


def test_the_shift_lands_on_the_prompts_last_token_alone() -> None:
    model = model_of("llama")
    with reading(model, [1]) as plain:
        margins(model, QUESTIONS[:1])
    shift = torch.zeros(1, 32)
    shift[0, 0] = 2.0
    with reading(model, [1]) as moved:
        margins(model, QUESTIONS[:1], 0, shift)
    for before, after in zip(plain.activations[1], moved.activations[1], strict=True):
        apart = (after - before).abs().sum(-1)[0]
        assert apart[:2].max() == 0
        assert apart[2] > 1
    with pytest.raises(UserMistake, match="layer 9"):
        margins(model, QUESTIONS, 9, torch.zeros(3, 32))
    with pytest.raises(UserMistake, match="tokens"):
        margins(model, [Question("a" * 200, "b", "c")])
