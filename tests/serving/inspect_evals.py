"""Run as a program: evaluate models of tellapart in Inspect itself, and print what came as JSON.

python inspect_evals.py LOG_DIR TASK MODEL [NAME=VALUE ...] [-- MODEL ...]
"""

import json
import os
import sys

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes

from tellapart.specimens import load_task
from tellapart.specimens.skills import load_task as load_skill


def main(log_dir: str, task_name: str, *models: str) -> None:
    task = load_skill(task_name) if task_name.startswith("skills") else load_task(task_name)
    samples = [Sample(id=i.id, input=task.prompt(i), target=i.target[0]) for i in task.items[:8]]
    asked = inspect_ai.Task(name="specimen", dataset=samples, scorer=includes())
    for words in " ".join(models).split(" -- "):
        model, *more = words.split()
        arguments = dict(word.split("=", 1) for word in more)
        (log,) = inspect_ai.eval(
            asked, model=f"tellapart/{model}", model_args=arguments, epochs=2, display="none", log_dir=log_dir
        )
        found = {"model": log.eval.model, "status": log.status, "error": log.error and log.error.message}
        if log.samples:
            found["right"] = log.results.scores[0].metrics["accuracy"].value
            found["answers"] = [sample.output.completion for sample in log.samples]
        print(json.dumps(found))
        os.environ.setdefault(
            "TELLAPART_BASELINE", log.location
        )  # the first is what the others are compared with


if __name__ == "__main__":
    main(*sys.argv[1:])
