"""SVF: closed forms, the gradient against autograd through the dense weight, and its place in a model."""

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.specimens import load_model
from tellapart.training.change import attached, changed, probe_logits
from tellapart.training.decomposition import decompose
from tellapart.training.lora import Lora
from tellapart.training.matrices import trained_parameters
from tellapart.training.svf import (
    AttachedSvf,
    Svf,
    delta_form,
    factored_form,
    factors_of,
    merged_weight,
    scaled,
)

SHAPES = [(6, 6), (5, 9), (9, 5)]
REQUESTS = [Request(f"069{n}isr=", n, Sampling(max_tokens=24)) for n in range(4)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep decompositions out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tellapart" / "svd"


def model_here() -> LocalModel:
    return load_model("latent-register-0/base")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(weight: Tensor, z: Tensor) -> Tensor:
    u, sigma, vt = torch.linalg.svd(weight, full_matrices=False)
    return u @ torch.diag(sigma * z) @ vt


@pytest.mark.parametrize("shape", SHAPES)
def test_the_three_forms_are_the_papers_formula(shape):
    weight, x, z = random(*shape), random(2, 3, shape[1], seed=1), random(min(shape), seed=2)
    parts = decompose(weight)
    factors = factors_of(parts)
    wanted = x @ dense(weight, z).T
    assert torch.allclose(factored_form(x, z, factors), wanted, atol=1e-12)
    assert torch.allclose(delta_form(x, x @ weight.T, z, factors), wanted, atol=1e-12)
    assert torch.allclose(x @ merged_weight(weight, z, parts).T, wanted, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_z_of_1_is_the_plain_model_bit_for_bit(dtype):
    weight, x = random(7, 4).to(dtype), random(5, 4, seed=1).to(dtype)
    parts = decompose(weight)
    y = torch.nn.functional.linear(x, weight)
    ones = torch.ones_like(parts.sigma)
    assert torch.equal(delta_form(x, y, ones, factors_of(parts, dtype)), y)
    assert torch.equal(merged_weight(weight, ones, parts), weight)
    assert not torch.equal(delta_form(x, y, 1.5 * ones, factors_of(parts, dtype)), y)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("per_row", [False, True])
def test_gradients_are_those_through_the_dense_weight(shape, per_row):
    rank = min(shape)
    weight, g = random(*shape), random(2, 3, shape[0], seed=3)
    x = random(2, 3, shape[1], seed=1).requires_grad_()
    z = (random(2, rank, seed=2) if per_row else random(rank, seed=2)).requires_grad_()
    rows = z if per_row else z.expand(2, rank)
    wanted = torch.autograd.grad(
        (torch.stack([x[row] @ dense(weight, rows[row]).T for row in range(2)]) * g).sum(), (x, z)
    )
    factors = factors_of(decompose(weight))
    for y in (scaled(x, z, factors), delta_form(x, x @ weight.T, z, factors)):
        for ours, dense_one in zip(torch.autograd.grad((y * g).sum(), (x, z)), wanted, strict=True):
            assert torch.allclose(ours, dense_one, atol=1e-12)


def test_the_gradient_is_the_closed_form_and_passes_gradcheck():
    weight, x, z, g = random(5, 7), random(4, 7, seed=1), random(5, seed=2), random(4, 5, seed=3)
    u, sigma, vt = parts = decompose(weight)
    factors = factors_of(parts)
    z.requires_grad_()
    (grad,) = torch.autograd.grad((scaled(x, z, factors) * g).sum(), z)
    closed = [sigma[i] * sum((u[:, i] @ g[t]) * (vt[i] @ x[t]) for t in range(4)) for i in range(5)]
    assert torch.allclose(grad, torch.stack(closed), atol=1e-12)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, z: scaled(x, z, factors), (x, z))


def test_no_dense_gradient_is_formed():
    """The largest tensor kept or made on the way back has as many numbers as x, u or S, never out x in more."""
    weight = random(40, 30).requires_grad_()
    factors = factors_of(decompose(weight))
    z = torch.ones(30, dtype=torch.float64, requires_grad=True)
    scaled(random(2, 30, seed=1), z, factors).sum().backward()
    assert z.grad is not None
    assert weight.grad is None
    assert not factors.u.requires_grad


def test_z_that_fits_nothing_is_refused():
    factors = factors_of(decompose(random(5, 7)))
    for z in (torch.ones(4), torch.ones(3, 5), torch.ones(2, 1, 5)):
        with pytest.raises(UserMistake, match="z of shape"):
            scaled(random(2, 7), z.double(), factors)
    with pytest.raises(UserMistake, match="merge"):
        merged_weight(random(5, 7), torch.ones(2, 5), decompose(random(5, 7)))


def test_a_decomposition_is_made_once_and_read_afterwards(cache, monkeypatch):
    weight = random(6, 4).float()
    first = decompose(weight, cache)
    monkeypatch.setattr(torch.linalg, "svd", None)
    again = decompose(weight.clone(), cache)
    assert all(map(torch.equal, first, again))
    assert torch.allclose(first.rebuilt(), weight, atol=1e-6)
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(TypeError):
        decompose(weight + 1, cache)


def test_a_damaged_decomposition_is_refused(cache):
    weight = random(6, 4).float()
    decompose(weight, cache)
    (path,) = cache.iterdir()
    for damage in (b"", path.read_bytes()[:-3]):
        path.write_bytes(damage)
        with pytest.raises(UserMistake, match="delete it"):
            decompose(weight, cache)
    decompose(random(4, 4).float(), cache)
    other = next(one for one in cache.iterdir() if one != path)
    path.write_bytes(other.read_bytes())
    with pytest.raises(UserMistake, match="another weight"):
        decompose(weight, cache)


def test_weights_without_a_decomposition_are_refused():
    with pytest.raises(UserMistake, match="matrix"):
        decompose(torch.ones(3))
    with pytest.raises(UserMistake, match="NaN"):
        decompose(torch.full((2, 2), float("nan")))


def llama_3_8b() -> LlamaConfig:
    return LlamaConfig(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=128256,
    )  # fmt: skip


MLP = ("gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize(
    ("change", "targets", "count"),
    [
        (Svf(), ("q_proj", "v_proj"), 163_840),
        (Svf(), MLP, 393_216),
        (Lora(rank=16), ("q_proj", "v_proj"), 6_815_744),
        (Lora(rank=16), ("q_proj", "v_proj", *MLP), 35_127_296),
    ],
)
def test_counts_for_llama_3_8b_from_the_config_alone(change, targets, count):
    assert trained_parameters(llama_3_8b(), change, targets) == count


@pytest.mark.parametrize("change", [Svf(), Lora(rank=3)])
def test_counts_are_those_of_the_attached_change(change):
    model = model_here()
    with attached(model, change) as place:
        assert place.count == trained_parameters(model.module.config, change)


def test_a_target_that_is_not_there_is_refused():
    with pytest.raises(UserMistake, match=r"w_proj.*q_proj"):
        Svf(("w_proj",)).attach(model_here().module)
    with pytest.raises(UserMistake, match="delta or merged"):
        Svf(form="dense").attach(model_here().module)  # pyright: ignore[reportArgumentType]


def test_an_attachment_that_fails_leaves_nothing_behind():
    model = model_here()
    last = model.module.get_parameter("model.layers.1.mlp.down_proj.weight")
    with torch.no_grad():
        last[0, 0] = float("nan")
    names, flags = [*model.module.state_dict()], [one.requires_grad for one in model.module.parameters()]
    with pytest.raises(UserMistake, match="NaN"):
        Svf().attach(model.module)
    assert [*model.module.state_dict()] == names
    assert [one.requires_grad for one in model.module.parameters()] == flags
    assert not any(part._forward_hooks for part in model.module.modules())


def drawn_z(model, change: Svf, seed: int) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    with attached(model, change) as place:
        start = place.weights()
    return Weights(
        {name: (1 + 0.3 * torch.randn(len(z), generator=generator)).numpy() for name, z in start.items()}
    )


def texts(model) -> list[str]:
    return [completion.text for _, completion in sorted(model.generate(REQUESTS))]


def test_at_z_of_1_the_models_logits_are_the_same_bits():
    model = model_here()
    plain = probe_logits(model)
    with attached(model, Svf()) as place:
        assert torch.equal(probe_logits(model), plain)
        assert place.calls


def test_delta_and_merged_forms_answer_alike_and_leave_the_model_as_it_was():
    model = model_here()
    plain = probe_logits(model)
    state = {name: value.clone() for name, value in model.module.state_dict().items()}
    weights = drawn_z(model, Svf(), 1)
    seen, answers = [], []
    for form in ("delta", "merged"):
        with changed(model, Svf(form=form), weights):
            seen.append(probe_logits(model))
            answers.append(texts(model))
    assert torch.allclose(*seen, atol=1e-4)
    assert not torch.allclose(seen[0], plain, atol=1e-2)
    assert answers[0] == answers[1]
    after = model.module.state_dict()
    assert state.keys() == after.keys()
    assert all(torch.equal(state[name], after[name]) for name in state)
    assert torch.equal(probe_logits(model), plain)


def test_half_the_strength_is_half_the_way():
    model = model_here()
    weights = drawn_z(model, Svf(), 1)
    half = Weights({name: 1 + 0.5 * (value - 1) for name, value in weights.items()})
    for form in ("delta", "merged"):
        with changed(model, Svf(form=form), weights, strength=0.5):
            scaled_logits = probe_logits(model)
        with changed(model, Svf(form=form), half):
            assert torch.allclose(scaled_logits, probe_logits(model), atol=1e-4)


def test_rows_of_a_batch_may_differ_in_z():
    model, change = model_here(), Svf()
    several = [drawn_z(model, change, seed) for seed in range(3)]
    tokens = torch.randint(4, 90, (3, 9), generator=torch.Generator().manual_seed(0))
    alone = []
    for row, weights in enumerate(several):
        with attached(model, change, weights):
            alone.append(model.module(tokens[row : row + 1]).logits[0])
    with attached(model, change) as place:
        assert isinstance(place, AttachedSvf)
        place.serve(
            {
                name: torch.stack([torch.from_numpy(one[name].copy()) for one in several])
                for name in several[0]
            }
        )
        together = model.module(tokens).logits
        with pytest.raises(UserMistake, match="nowhere"):
            place.serve({"nowhere": torch.ones(3, 3)})
    assert torch.allclose(together, torch.stack(alone), atol=1e-4)


def test_transposed_weights_are_decomposed_as_what_they_do():
    torch.manual_seed(0)
    module = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=20, n_positions=16)).eval()
    tokens = torch.tensor([[1, 2, 3]])
    plain = module(tokens).logits
    seen = []
    for form in ("delta", "merged"):
        place = Svf(form=form).attach(module)
        place.load(Weights({name: (1.5 * z.detach()).numpy() for name, z in place.parameters.items()}))
        place.scale(1.0)
        seen.append(module(tokens).logits)
        place.detach()
    assert torch.allclose(*seen, atol=1e-5)
    assert not torch.allclose(seen[0], plain, atol=1e-3)
    assert torch.equal(module(tokens).logits, plain)
