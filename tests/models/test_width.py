"""The width of a batch: a row is counted for what it takes, a shared prompt once, and memory is read right."""

from pathlib import Path

import pytest
from tiny import ARCHITECTURES, model_of, module_of

from tellapart.errors import UserMistake
from tellapart.models import engine, stems, width
from tellapart.models.cache import SlotCache
from tellapart.models.model import Request, Sampling
from tellapart.models.prefill import forward_remainders

GIB = 1 << 30


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_bytes_of_a_token_are_those_of_its_keys_and_values(kind):
    module = module_of(kind)
    cache, _ = forward_remainders(module, None, 0, [(1, 2, 3)], 1)
    taken = sum(
        layer.keys.numel() * 4 // 3 + layer.values.numel() * 4 // 3
        for layer in cache.layers
        if layer.keys.numel()
    )
    assert width.cache_bytes(module) == taken


@pytest.fixture
def caches(monkeypatch) -> list[SlotCache]:
    """The caches of runs (not of prompts)."""
    kept: list[SlotCache] = []
    first = engine.Run.__init__

    def remembered(run, *args):
        first(run, *args)
        kept.extend(run.caches)

    monkeypatch.setattr(engine.Run, "__init__", remembered)
    return kept


def widths_with(monkeypatch, caches, model, free: int, samples: int) -> tuple[int, int]:
    """Return the rows of a batch and the bytes of its cache at the end, with `free` bytes for it."""
    monkeypatch.setattr(stems, "LEAST_SAVED", 64)
    monkeypatch.setattr("tellapart.models.width.free_bytes", lambda modules: free)
    caches.clear()
    prompt = "the cat sat on the mat and looked at me. " * 2
    sampling = Sampling(max_tokens=20)
    model.asked = model.asked._replace(ends=frozenset())
    list(model.generate([Request(prompt, k, sampling) for k in range(samples)]))
    cache = caches[0]
    taken = sum((layer.keys.numel() + layer.values.numel()) * 4 for layer in cache.layers)
    return cache.window.slots, taken


def test_a_shared_prompt_is_counted_once(monkeypatch, caches):
    model = model_of("llama")
    per_token = width.cache_bytes(model.module)
    free = 40 * per_token * 100
    rows, taken = widths_with(monkeypatch, caches, model, free, 64)
    assert (
        rows > 30
    )  # 82 tokens of prompt and 20 of answer: 40 rows if each held its prompt, without spare columns
    assert taken < free
    alone, held = widths_with(monkeypatch, caches, model_of("gemma2"), free, 64)
    assert alone < rows
    assert held < free


def test_rows_that_enter_late_share_the_prompt_too(monkeypatch, caches):
    monkeypatch.setattr(stems, "LEAST_SAVED", 64)
    model = model_of("llama", max_rows=8)
    prompt = "the cat sat on the mat and looked at me. " * 2
    list(model.generate([Request(prompt, k, Sampling(max_tokens=4 + k)) for k in range(20)]))
    assert caches[0].layers[0].keys.shape[2] < len(prompt)


def test_memory_that_holds_files_counts_as_available(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8388608 kB\nMemFree: 10240 kB\nMemAvailable: 6291456 kB\n")
    monkeypatch.setattr(width, "MEMINFO", meminfo)
    monkeypatch.setattr(width, "OWN_CGROUP", tmp_path / "none")
    assert width.available_bytes() == 6 * GIB


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_control_groups_hold(monkeypatch, tmp_path, version):
    names = width.V2 if version == 2 else width.V1
    own, kinds = (":/jobs/one", "") if version == 2 else ("memory:/jobs/one", "memory")
    (tmp_path / "cgroup").write_text(f"4:cpu:/\n0:{own}\n")
    group = tmp_path / "groups" / kinds / "jobs"
    (group / "one").mkdir(parents=True)
    for folder, limit in ((group, 3 * GIB), (group / "one", "max")):
        (folder / names.limit).write_text(f"{limit}\n")
        (folder / names.used).write_text(f"{2 * GIB}\n")
        (folder / "memory.stat").write_text(f"anon 5\n{names.files} {GIB // 2}\n")
    if version == 1:
        (group / "one" / names.limit).write_text(f"{(1 << 63) - 4096}\n")
    monkeypatch.setattr(width, "OWN_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(width, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(width, "MEMINFO", _meminfo(tmp_path, 16))
    assert width.available_bytes() == GIB + GIB // 2


def _meminfo(folder: Path, gib: int) -> Path:
    path = folder / "meminfo"
    path.write_text(f"MemAvailable: {gib * GIB // 1024} kB\n")
    return path


def test_a_width_below_one_is_refused():
    with pytest.raises(UserMistake, match="--max-rows 0: give 1 or more"):
        list(model_of("llama", max_rows=0).generate([Request("a")]))
