"""Readers of scores over scale: what each format says, and derived metrics against hand-made truth."""

import json
import math

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.logs.scale_points import family_of, parameters_of, step_of
from tellapart.logs.scale_read import read_points
from tellapart.logs.scale_samples import choice_metrics, edit_distance, text_metrics


def _write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return str(path)


def test_new_and_old_lm_eval_results_say_the_same(tmp_path):
    old = {
        "results": {"sciq": {"acc": 0.6, "acc_stderr": 0.0155}},
        "versions": {"sciq": 0},
        "config": {
            "model": "hf",
            "model_args": "pretrained=EleutherAI/pythia-410m,revision=step3000",
            "num_fewshot": 0,
        },
    }
    new = {
        "results": {"sciq": {"alias": "sciq", "acc,none": 0.6, "acc_stderr,none": 0.0155, "em,strict": 0.5,
                             "em_stderr,strict": "N/A"}},
        "n-shot": {"sciq": 0},
        "n-samples": {"sciq": {"original": 1000, "effective": 900}},
        "versions": {"sciq": 1.0},
        "config": {"model": "hf", "model_args": "pretrained=EleutherAI/pythia-410m,revision=step3000",
                   "model_num_parameters": 405334016},
        "model_name": "EleutherAI/pythia-410m",
    }  # fmt: skip
    a = read_points([_write(tmp_path / "old.json", old)]).frame.iloc[0]
    frame = read_points([_write(tmp_path / "new.json", new)]).frame.set_index("metric")
    b = frame.loc["acc"]
    for name in ("task", "value", "error", "steps", "setting", "family"):
        assert a[name] == b[name], name
    assert (a["parameters"], b["parameters"]) == (410e6, 405334016)
    assert b["n"] == 900
    assert math.isnan(frame.loc["em,strict", "error"])


def test_big_bench_scores(tmp_path):
    scores = {
        "model": {"model_family": "BIG-G T=0", "model_name": "2m", "non_embedding_params": 2098176, "total_params": 1},
        "task": {"task_name": "emoji_movie"},
        "scores": [
            {"subtask_description": "emoji_movie", "number_of_shots": 2, "preferred_score": "multiple_choice_grade",
             "score_dict": {"multiple_choice_grade": 0.2, "exact_str_match": 0.0}},
            {"subtask_description": "emoji_movie", "number_of_shots": 0,
             "preferred_score": "normalized_aggregate_score", "score_dict": {"normalized_aggregate_score": 3.0}},
        ],
    }  # fmt: skip
    frame = read_points([_write(tmp_path / "emoji_movie" / "results" / "scores.json", scores)]).frame
    assert list(frame["metric"]) == ["multiple_choice_grade", "exact_str_match"]
    assert set(frame["parameters"]) == {2098176.0}
    assert set(frame["setting"]) == {"2-shot"}
    assert set(frame["family"]) == {"BIG-G T=0"}


def test_wide_tables_read_units_from_their_heads(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(
        "Model,Model Family,Model Size (B),FLOPs (1E21),MMLU,GSM8K\na,f,7.0,84,0.4,\nb,f,13,156,0.5,0.2\n"
    )
    frame = read_points([str(path)]).frame
    assert sorted(set(frame["parameters"])) == [7e9, 13e9]
    assert sorted(set(frame["compute"])) == [84e21, 156e21]
    assert frame["value"].isna().sum() == 1


def test_samples_give_the_gold_answers_probability(tmp_path):
    folder = tmp_path / "lab__tiny-70m"
    folder.mkdir()
    lines = []
    for index, (likelihoods, gold) in enumerate([([-1.0, -2.0], 0), ([-3.0, -0.5], 0)]):
        lines.append({
            "doc_id": index, "doc": {"q": "x"}, "target": str(gold),
            "arguments": {f"gen_args_{k}": {"arg_0": "q", "arg_1": f" opt{k}"} for k in range(2)},
            "resps": [[[str(one), "False"]] for one in likelihoods], "filter": "none", "metrics": ["acc"],
            "acc": float(likelihoods[gold] == max(likelihoods)),
        })  # fmt: skip
    path = folder / "samples_quiz_2026-01-01T00-00-00.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    frame = read_points([str(path)]).frame.set_index("metric")
    assert frame.loc["acc", "value"] == 0.5
    assert frame.loc["gold_logprob", "value"] == pytest.approx(-2.0)
    p = [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2.5))]
    assert frame.loc["brier", "value"] == pytest.approx(np.mean([2 * (1 - one) ** 2 for one in p]))
    assert frame.loc["gold_logprob", "parameters"] == 70e6
    assert (frame["n"] == 2).all()
    assert frame.loc["brier", "kind"] == "continuous"


def test_samples_of_generated_text_give_token_metrics(tmp_path):
    folder = tmp_path / "tiny-1b"
    folder.mkdir()
    line = {"doc_id": 0, "doc": {}, "target": "1 4 2 8", "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": {}}},
            "resps": [["1 4 7 8"]], "filter": "none", "metrics": ["exact_match"], "exact_match": 0.0}  # fmt: skip
    path = folder / "samples_sum_2026-01-01T00-00-00.jsonl"
    path.write_text(json.dumps(line) + "\n")
    frame = read_points([str(path)]).frame.set_index("metric")
    assert frame.loc["token_accuracy", "value"] == 0.75
    assert frame.loc["token_edit_distance", "value"] == 0.25
    assert frame.loc["exact_match", "length"] == 4


def test_edit_distance_against_the_textbook_recursion():
    def slow(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = ([str(x) for x in rng.integers(0, 3, rng.integers(0, 6))] for _ in range(2))
        assert edit_distance(a, b) == slow(a, b)


def test_derived_metrics_refuse_what_they_cannot_compare():
    assert text_metrics("anything", "") == {}
    assert choice_metrics([-1e4, -2e4], 1)["gold_probability"] == 0.0
    assert set(choice_metrics([-3.0], 0)) == {"gold_logprob"}


def test_names():
    assert math.isnan(parameters_of("mix-7b-70b"))
    assert parameters_of("opt-1.3B") == 1.3e9
    assert family_of("a/pythia-1b-bf16") == family_of("b/pythia-12b") == "pythia-#"
    assert step_of("checkpoints/step512") == 512


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("model,value\nm,1\n", "no column 'task'"),
        ("model,task,metric,value,n\nm-1b,t,acc,good,3\n", "not a number"),
        ("model,task,metric,value,n\nm-1b,t,acc,inf,3\n", "not finite"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, content, told):
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(UserMistake, match=told) as refused:
        read_points([str(path)])
    assert "\n" not in str(refused.value)


def test_a_log_tells_which_way_is_better_and_its_samples_what_is_right_or_wrong(tmp_path):
    told = {
        "results": {"t": {"odd,none": 0.5, "acc,none": 0.2}},
        "higher_is_better": {"t": {"odd": False}},
        "versions": {"t": 1},
        "config": {"model": "hf", "model_args": "pretrained=a/b-70m"},
    }
    frame = read_points([_write(tmp_path / "r.json", told)]).frame.set_index("metric")
    assert frame.loc["odd", "higher_is_better"] == "false"
    assert frame.loc["acc", "higher_is_better"] == ""
    table = tmp_path / "t.csv"
    table.write_text("model,parameters,task,metric,value,higher_is_better\na,1e7,t,odd,0.5,true\n")
    assert read_points([str(table)]).frame["higher_is_better"].tolist() == ["true"]


@pytest.mark.parametrize(
    ("name", "parameters", "family"),
    [
        ("stablelm-2-1_6b", 1.6e9, "stablelm-2-#"),
        ("stablelm-2-12b", 12e9, "stablelm-2-#"),
        ("bloom-7b1", 7.1e9, "bloom-#"),
        ("bloom-1b7", 1.7e9, "bloom-#"),
        ("bloom-560m", 5.6e8, "bloom-#"),
        ("internlm2_5-7b-chat-1m", 7e9, "internlm2_5-#-chat-1m"),
        ("my_model_7b", 7e9, "my_model_#"),
        ("plum_2_7b", math.nan, "plum_2_7b"),
    ],
)
def test_sizes_as_they_are_written(name: str, parameters: float, family: str) -> None:
    assert parameters_of(name) == pytest.approx(parameters, nan_ok=True)
    assert family_of(name) == family


def test_steps_in_thousands() -> None:
    assert step_of("TinyLlama-1.1B-intermediate-step-1431k-3T") == 1_431_000
    assert step_of("step500k-tokens2T") == 500_000
    assert step_of("step12km") == 12
