"""Run folders with made-up but realistic findings: the report is drawn from these in tests, without a model."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.runs.row import Row
from tellapart.stats.estimate import Estimate, missing

HOSTILE = (
    "<script>window.hacked=1</script>",
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "<!-- <script> ]]> {{ 7*7 }} {% raw %} [bold red]not markup[/] [link=http://x.test]x[/link]",
    "right to left \u202e mark \u200f and isolate \u2067 end",
    "a NUL \x00 and an escape \x1b[31m and a bell \x07",
    "a lone surrogate \ud800 and separators \u2028 \u2029",
    "' onmouseover='window.hacked=1' \" autofocus onfocus=\"window.hacked=1",
)

SPEC: dict[str, Any] = {
    "version": 1,
    "spec": {
        "study": "gain",
        "base": "example/base",
        "tuned": "example/rl-step-400",
        "task": "tasks/algebra.jsonl",
        "samples": 64,
        "temperature": 1.0,
        "seed": 0,
        "elicitors": ["few_shot", "power_sampling", "routing"],
    },
    "tellapart": "0.1.0",
    "commit": "c1740bb",
    "python": "3.11.2",
    "platform": "Linux x86_64",
    "packages": {"numpy": "2.4.0", "torch": "2.13.0", "transformers": "5.23.0"},
    "fingerprints": {"base": "6f1c9be2a1d04e77", "tuned": "0b77aa1993cd40fe", "task": "9d2fe0a4c0b15c31"},
}

_ELICITORS: tuple[tuple[str, str, str, float, float | None, float], ...] = (
    # name, title, source, share of an elicited case, null control's share, bits
    ("step_by_step", "Step by step", "Kojima et al. 2022", 0.31, 0.02, 0.0),
    ("best_of_k", "Majority of 16", "Wang et al. 2023", 0.38, 0.05, 0.0),
    ("power_sampling", "Power sampling", "Karan & Du 2025", 0.64, 0.06, 3.0),
    ("cot_decoding", "CoT-decoding", "Wang & Zhou 2024", 0.46, 0.11, 0.0),
    ("min_p", "Temperature and min-p", "Nguyen et al. 2024", 0.12, 0.01, 4.6),
    ("prefill", "Prefilled first words", "", 0.52, 0.03, 6.2),
    ("few_shot", "Few-shot, 8 worked examples", "Brown et al. 2020", 0.87, 0.09, 2140.0),
    ("weight_noise", "Weight noise", "Tice et al. 2024", -0.06, -0.09, 5.0),
    ("routing", "Token routing, 12 % of tokens", "Venhoff et al. 2025", 0.92, 0.21, 412.0),
    ("every_token", "Tuned model writes every token", "", 1.0, None, 180000.0),
)


def estimate(value: float, spread: float, n: int, unit: str = "share", method: str = "bootstrap") -> Estimate:
    """Return an estimate with a symmetric interval."""
    return Estimate(value, value - spread, value + spread, n, unit, method)


def elicited(items: int = 240, seed: int = 0) -> Finding:
    """Return a finding in which most of the gain comes back from the base for few bits."""
    base_p, tuned_p = _success(items, seed, latent=True)
    tables = _tables(base_p, tuned_p, seed)
    tables |= {
        "elicitors": _elicitors(1.0),
        "routing": _routing(),
        "divergence": _divergence(seed),
        "concentration": _concentration(0.55),
    }
    estimates = _estimates(base_p, tuned_p) | {
        "recovered_share/few_shot": estimate(0.87, 0.11, items),
        "null_share/few_shot": estimate(0.09, 0.08, items),
        "bits_supplied/few_shot": Estimate(2140.0, math.nan, math.nan, 8, "bits", "description length"),
        "surfacing_bits_50%": Estimate(3.0, 0.0, 6.2, items, "bits", "least over the elicitors"),
        "surfacing_bits_90%": Estimate(412.0, 6.2, 2140.0, items, "bits", "least over the elicitors"),
        "elicited_share": estimate(0.92, 0.09, items),
        "bits_per_response": estimate(4.7, 0.6, 200, "bits", "mean over responses"),
        "bits_concentration_5%": estimate(0.71, 0.05, 200),
    }
    return Finding(
        question="Was the gain from base to tuned already in the base?",
        verdict="elicited",
        probability=0.93,
        sentence="At least 92 % of the gain came back from the base for 412 bits supplied: what was recovered "
        "was there; the rest may be new, or not found.",
        estimates=estimates,
        controls={
            "same prompt and sampling": "base and tuned were asked the same prompts at temperature 1",
            "null controls": "9 of 10 elicitors beat their null control; weight noise did not",
            "guess floor": "a random guesser that answers in the right form scores 4.0 %",
            "choice apart from figures": "settings chosen on 60 items, figures from the other 180",
        },
        caveats=(
            "12 of 30,720 answers were cut off at 256 tokens; they count as wrong.",
            "15 of 19 items solved only by the base have at most 4 right answers of 64: fragile.",
        ),
        evidence=(
            ("best recovered share, its null control taken off", 0.71, 1.94),
            ("bits that bring back half of the gain", 3.0, 1.21),
            ("bits of divergence in the top 5 % of tokens", 0.71, 0.66),
            ("pass@64 of the base against the tuned", -0.02, 0.58),
            ("items solved only by the tuned", 3.0, -0.22),
            ("steps of right answers that check", math.nan, 0.0),
        ),
        rows=(("base/plain", "item-0007"), ("tuned/plain", "item-0007")),
        tables=tables,
    )


def acquired(items: int = 160, seed: int = 1) -> Finding:
    """Return a finding in which next to nothing comes back."""
    base_p, tuned_p = _success(items, seed, latent=False)
    tables = _tables(base_p, tuned_p, seed)
    tables |= {"elicitors": _elicitors(0.07), "divergence": _divergence(seed, spread=True)}
    tables["concentration"] = _concentration(0.08)
    return Finding(
        question="Was the gain from base to tuned already in the base?",
        verdict="acquired",
        probability=0.88,
        sentence="No way tried brought back more than 7 % of the gain: it is new to the base, or not found.",
        estimates=_estimates(base_p, tuned_p) | {"elicited_share": estimate(0.07, 0.06, items)},
        caveats=("The elicitors tried are ten; another may elicit more.",),
        evidence=(("best recovered share", 0.07, -2.1), ("bits per response", 291.0, -1.3)),
        tables=tables,
    )


def cannot_tell(items: int = 40, seed: int = 2) -> Finding:
    """Return a finding whose gain has an interval that includes 0, so that every share is refused."""
    base_p, _ = _success(items, seed, latent=True)
    tables = _tables(base_p, base_p, seed)
    refused = missing("share", "the interval of the gain includes 0: no gain to share out", items)
    estimates = _estimates(base_p, base_p) | {
        "elicited_share": refused,
        "recovered_share/few_shot": refused,
        "tuned_pass@64": missing("share", "only 16 samples of the tuned", items),
    }
    tables["elicitors"] = [
        dict.fromkeys(("share", "low", "high", "null_share", "null_low", "null_high"))
        | {
            "name": "few_shot",
            "title": "Few-shot",
            "source": "",
            "bits": 900.0,
            "bits_unit": "bits",
            "note": "",
        }
    ]
    return Finding(
        question="Was the gain from base to tuned already in the base?",
        verdict="cannot tell",
        probability=math.nan,
        sentence="The interval of the gain includes 0: there is no gain to share out.",
        estimates=estimates,
        caveats=("Only 40 items: a gain below 9 points cannot be seen.",),
        tables=tables,
    )


def logs_only(items: int = 300, seed: int = 3) -> Finding:
    """Return a finding from scored logs alone: no elicitors, no log-probabilities."""
    base_p, tuned_p = _success(items, seed, latent=True)
    tables = _tables(base_p, tuned_p, seed)
    del tables["samples"], tables["ladder"]
    return Finding(
        question="Was the gain from A to B already in A?",
        verdict="mixed",
        probability=0.61,
        sentence="The tuned model is sharper, hardly wider: pass@64 differs by less than 2 points.",
        estimates=_estimates(base_p, tuned_p),
        caveats=("Scores alone cannot show what an elicitor would bring out.",),
        evidence=(("pass@64 difference", -0.012, 0.44),),
        tables=tables,
    )


def hostile() -> Finding:
    """Return the elicited finding with hostile text wherever text from outside stands."""
    finding = elicited(40)
    tables = dict(finding.tables)
    for table, row in zip(
        (tables["items"], tables["divergence"], tables["elicitors"]), HOSTILE, strict=False
    ):
        _poison(table, row)
    first = tables["items"][0]["item"]
    answers = [{"text": text, "score": 0.0, "status": "ok"} for text in HOSTILE]
    answers.append({"text": "A" * 1_000_000 + HOSTILE[2], "score": 1.0, "status": "cut off"})
    tables["samples"] = {
        first: {"prompt": HOSTILE[0], "target": HOSTILE[2], "base": answers, "tuned": answers}
    }
    return dataclasses.replace(
        finding,
        sentence=HOSTILE[1],
        question=HOSTILE[2],
        caveats=HOSTILE,
        controls={text: text for text in HOSTILE},
        evidence=tuple((text, 1.0, 0.5) for text in HOSTILE),
        tables=tables,
    )


def write_run(folder: Path, *findings: Finding, spec: dict[str, Any] | None = None) -> Path:
    """Write a run folder that holds `findings` and rows for the items with samples; return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec or SPEC))
    document = {"version": 1, "study": "gain", "findings": [finding.as_json() for finding in findings]}
    (folder / "findings.json").write_text(json.dumps(document))
    rows = [row for finding in findings for row in _rows(finding)]
    frame = pd.DataFrame(
        [dataclasses.asdict(row) for row in rows], columns=[f.name for f in dataclasses.fields(Row)]
    )
    frame.to_parquet(folder / "rows.parquet")
    return folder


def _rows(finding: Finding) -> list[Row]:
    rows = []
    for item, sample in finding.tables.get("samples", {}).items():
        for side in ("base", "tuned"):
            for index, answer in enumerate(sample[side] * 3):
                text = answer["text"].encode("utf-8", "replace").decode()
                rows.append(
                    Row(
                        "gain",
                        f"{side}/plain",
                        item,
                        index,
                        index,
                        f"{item}{side}{index}",
                        "report",
                        "",
                        "",
                        text,
                        answer["score"],
                        answer["status"],
                        "",
                        -3.2,
                        12,
                        40,
                        0.01,
                    )
                )
    return rows


def _poison(table: list[dict[str, Any]], text: str) -> None:
    for key, value in table[0].items():
        if isinstance(value, str) and key != "only":
            table[0][key] = text
        if key == "tokens":
            table[0][key] = [text, *value[1:]]


def _success(items: int, seed: int, latent: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    tuned = random.beta(1.6, 0.9, items)
    base = np.clip(tuned * random.beta(0.7, 1.6, items), 0, 1) if latent else random.beta(0.1, 4, items)
    only_base = random.random(items) < 0.04
    return np.where(only_base, 0.05, base), np.where(only_base, 0.0, tuned)


def _curves(p: np.ndarray, of: Any, at: list[float]) -> list[list[float]]:
    rows = []
    for x in at:
        values = of(p, x)
        half = 1.96 * float(np.std(values)) / math.sqrt(len(p))
        mean = float(np.mean(values))
        rows.append([mean, mean - half, mean + half])
    return rows


def _estimates(base_p: np.ndarray, tuned_p: np.ndarray) -> dict[str, Estimate]:
    n = len(base_p)
    base, tuned = float(base_p.mean()), float(tuned_p.mean())
    difference = tuned_p - base_p
    half = 1.96 * float(difference.std()) / math.sqrt(n)
    estimates = {
        "base_score": estimate(base, 0.03, n),
        "tuned_score": estimate(tuned, 0.03, n),
        "gain": estimate(tuned - base, max(half, 0.02), n),
        "guess_floor": Estimate(0.04, math.nan, math.nan, n, "share", "derived from the answer space"),
    }
    for k in (1, 4, 16, 64):
        for side, p in (("base", base_p), ("tuned", tuned_p)):
            estimates[f"{side}_pass@{k}"] = estimate(float(np.mean(1 - (1 - p) ** k)), 0.03, n)
        estimates[f"pass@{k}_difference"] = estimate(
            float(np.mean((1 - base_p) ** k - (1 - tuned_p) ** k)), 0.025, n
        )
    for tau in (0.5, 0.9):
        estimates[f"base_cover@{tau}"] = estimate(float(np.mean(base_p >= tau)), 0.05, n)
        estimates[f"tuned_cover@{tau}"] = estimate(float(np.mean(tuned_p >= tau)), 0.05, n)
    for name, value in (
        ("gained_items", 82),
        ("lost_items", 11),
        ("base_only_items", 9),
        ("tuned_only_items", 14),
    ):
        estimates[name] = Estimate(float(value), math.nan, math.nan, n, "items", "count")
    return estimates


def _tables(base_p: np.ndarray, tuned_p: np.ndarray, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    n, ks, taus = 64, [1, 2, 4, 8, 16, 32, 64], [round(0.05 * i, 2) for i in range(1, 21)]
    base_c, tuned_c = random.binomial(n, base_p), random.binomial(n, tuned_p)
    items = []
    for index, (b, t) in enumerate(zip(base_c.tolist(), tuned_c.tolist(), strict=True)):
        only = "tuned" if t and not b else "base" if b and not t else ""
        items.append({
            "item": f"item-{index:04d}", "cluster": f"template-{index % 12}",
            "base_n": n, "base_c": b, "tuned_n": n, "tuned_c": t,
            "base_p": b / n, "base_p_low": max(0.0, b / n - 0.1), "base_p_high": min(1.0, b / n + 0.1),
            "fragile": bool(only and max(b, t) <= 4), "only": only,
        })  # fmt: skip
    with_samples = [row["item"] for row in items if row["only"]][:20]
    mean_base, mean_tuned = float(base_p.mean()), float(tuned_p.mean())
    passes = lambda p, k: 1 - (1 - p) ** k  # noqa: E731
    covers = lambda p, tau: (p >= tau).astype(float)  # noqa: E731
    rungs = [
        (
            "latent",
            mean_base + 0.92 * (mean_tuned - mean_base),
            "the best of ten elicitors, chosen on the fit split",
        ),
        ("demonstrated", mean_base, "the default prompt, temperature 1"),
        ("tuned", mean_tuned, "the tuned model, the default prompt"),
        ("guess floor", 0.04, "a random guesser that answers in the right form"),
    ]
    return {
        "ladder": [
            {"rung": rung, "value": value, "low": value - 0.03, "high": value + 0.03, "how": how}
            for rung, value, how in rungs
        ],
        "coverage": {
            "k": ks, "base": _curves(base_p, passes, ks), "tuned": _curves(tuned_p, passes, ks),
            "know_nothing": [1 - 0.96**k for k in ks], "tau": taus,
            "base_cover": _curves(base_p, covers, taus), "tuned_cover": _curves(tuned_p, covers, taus),
            "crossing_tau": 0.07,
        },
        "items": items,
        "samples": {item: _sample(seed + index) for index, item in enumerate(with_samples)},
        "counts": [
            {"condition": f"{side}/plain", "asked": 15360, "correct": int(c.sum()), "wrong": 15354 - int(c.sum()),
             "cut off": 5, "failed": 1}
            for side, c in (("base", base_c), ("tuned", tuned_c))
        ],
    }  # fmt: skip


def _sample(seed: int) -> dict[str, Any]:
    right = f"Let x be the unknown.\n3x + {seed} = {seed + 12}\n3x = 12\nx = 4\nThe answer is 4."
    wrong = f"3x + {seed} = {seed + 12}, so x is {seed + 12}.\nThe answer is {seed + 12}."
    answer = lambda text, score: {"text": text, "score": score, "status": "ok"}  # noqa: E731
    return {
        "prompt": f"Solve for x: 3x + {seed} = {seed + 12}. End with 'The answer is N.'",
        "target": "4",
        "base": [
            answer(wrong, 0.0),
            answer(wrong.upper(), 0.0),
            {"text": wrong[:9], "score": 0.0, "status": "cut off"},
        ],
        "tuned": [answer(right, 1.0), answer(right.replace("unknown", "number"), 1.0), answer(wrong, 0.0)],
    }


def _elicitors(scale: float) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "title": title, "source": source,
            "share": share * scale, "low": share * scale - 0.09, "high": share * scale + 0.1,
            "null_share": None if null is None else null * scale,
            "null_low": None if null is None else null * scale - 0.07,
            "null_high": None if null is None else null * scale + 0.07,
            "bits": bits, "bits_unit": "bits",
            "note": "ceiling: the tuned model decides everything" if name == "every_token" else "",
        }
        for name, title, source, share, null, bits in _ELICITORS
    ]  # fmt: skip


def _routing() -> list[dict[str, Any]]:
    rows = []
    for decider, power in (
        ("teacher's disagreement", 0.22),
        ("entropy of the base", 0.45),
        ("random positions", 1.3),
    ):
        for share in (0.0, 0.02, 0.05, 0.12, 0.25, 0.5, 1.0):
            value = share**power
            rows.append({"decider": decider, "routed_share": share, "share": value, "low": value - 0.07,
                         "high": value + 0.07, "bits": 3400 * share})  # fmt: skip
    return rows


def _divergence(seed: int, spread: bool = False) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    text = (
        "Let| x| be| the| unknown| number|.|\n|We| know| that| 3|x| +| 5| =| 17|.|\n|Subtract| 5| from| both|"
        " sides|:| 3|x| =| 12|.|\n|Wait|,| check| the| sign|.| It| is| right|.|\n|Divide| by| 3|:| x| =| 4|.|\n|"
        "The| answer| is| 4|."
    )
    words = text.split("|")
    answers = []
    for index in range(12):
        bits = random.normal(0, 0.18, len(words))
        if spread:
            bits = random.gamma(2.0, 2.6, len(words))
        else:
            bits[0], bits[19], bits[31] = 4.4, 2.1, 3.3
            bits[34] = -1.4
        answers.append({"item": f"item-{index:04d}", "sample": index, "prompt": "Solve for x: 3x + 5 = 17.",
                        "score": float(index % 4 != 3), "tokens": words, "bits": bits.round(3).tolist()})  # fmt: skip
    return answers


def _concentration(power: float) -> dict[str, Any]:
    shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    steep = [share ** (1 - power) for share in shares]
    return {
        "top_share": shares,
        "bits_share": steep,
        "profile": [4.1 * math.exp(-i / 3) + 0.12 for i in range(40)],
    }
