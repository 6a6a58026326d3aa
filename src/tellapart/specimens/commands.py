"""`tellapart specimens list | build | check | plant` as values."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from tellapart.extras import require
from tellapart.studies.options import Verb

Set = Literal["old", "new", "real", "all"]
"""Specimens of `gain`: the first ones, those built against the verdict, those on real models; `all` are the first two,
which need nothing but their weights."""


@dataclass(frozen=True)
class List(Verb):
    """List the bundled specimens: those of `gain`, of `form`, of `inside`, of `skills`; with --study hidden the
    cases of `hidden`, which are models of the others'."""

    EXAMPLES = (
        "tellapart specimens list",
        "tellapart specimens list --study form",
    )

    study: Literal["gain", "form", "hidden", "inside", "skills"] | None = None
    """Only those of this study (default: all specimens)."""

    def run(self) -> int:
        """Print one line a specimen."""
        from tellapart.specimens import adversarial, form, hidden, inside, names, real, skills

        listed = {
            "gain": (*names(), *adversarial.names(), *real.names()),
            "form": form.names(),
            "inside": inside.names(),
            "skills": skills.names(),
        }
        chosen = (
            listed.values() if self.study is None else [(listed | {"hidden": hidden.names()})[self.study]]
        )
        for some in chosen:
            for name in some:
                print(name)
        return 0


@dataclass(frozen=True)
class Build(Verb):
    """Train the specimens anew from their recipe (CPU, seeded; about two hours on two cores for all)."""

    EXAMPLES = (
        "tellapart specimens build --out specimens",
        "tellapart specimens build --out specimens --set new --kinds guesser --seeds 0",
    )

    out: Annotated[str, arg(metavar="FOLDER")]
    """Folder to write the weights to."""
    kinds: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Only these kinds (default: all)."""
    families: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Only these task families (default: all)."""
    seeds: tuple[int, ...] = ()
    """Only these seeds (default: all)."""
    jobs: int = 2
    """Training processes side by side."""
    study: Literal["gain", "form", "inside", "skills"] = "gain"
    """Whose specimens: those of `form` (up to 42 minutes of one core) and `inside` (about 5) take no kinds, families or
    seeds; those of `skills` (about 80 seconds of one core each) take seeds."""
    set: Set = "old"
    """Those of `gain`: the first ones, those built against the verdict (`new`, about half a minute of one core each;
    they take kinds and seeds), both (`all`), or those on real models (`real`: the adapters, some minutes of one core
    each; they take kinds, and as families the bases smollm2 and gemma3)."""
    references: bool = False
    """Train references of the first ones' bases instead: the same training on operations that mean something else, so
    that they write the form and never met the skill. OUT/FAMILY/STAGE are model folders for `gain --reference`; `check
    --references OUT` takes each (perhaps an hour of one core a family)."""

    def run(self) -> int:
        """Train what is missing in the folder."""
        from pathlib import Path

        if self.references:
            from tellapart.errors import UserMistake
            from tellapart.specimens.build import build_references

            if self.study != "gain" or self.set != "old" or self.seeds:
                raise UserMistake("--references takes --kinds and --families only")
            build_references(Path(self.out), self.kinds, self.families)
            return 0
        if self.study in ("form", "inside"):
            from tellapart.errors import UserMistake

            if self.kinds or self.families or self.seeds:
                raise UserMistake(
                    f"--study {self.study} takes no --kinds, --families or --seeds: all are built"
                )
            if self.study == "form":
                from tellapart.specimens.form.build import build_form

                build_form(Path(self.out))
            else:
                from tellapart.specimens.inside.build import build_inside

                build_inside(Path(self.out))
            return 0
        if self.study == "skills":
            from tellapart.specimens import skills

            for seed in self.seeds or skills.SEEDS:
                print(skills.build(seed, Path(self.out)), flush=True)
            return 0
        if self.set == "real":
            from tellapart.errors import UserMistake
            from tellapart.specimens.real import build as real_build

            require("peft", "specimens build --set real")
            if self.seeds:
                raise UserMistake("--set real takes no --seeds: there is one adapter a kind and base")
            for name in real_build.chosen(self.kinds, self.families):
                print(f"{name}\n{real_build.build_pair(name, Path(self.out))}", flush=True)
            return 0
        from tellapart.specimens import adversarial, build

        if self.set in ("new", "all"):
            for name in adversarial.chosen(self.kinds, self.seeds):
                print(f"{name}\n{adversarial.build_named(name, Path(self.out) / 'adversarial')}", flush=True)
        if self.set in ("old", "all"):
            build(Path(self.out), self.kinds, self.families, self.seeds, self.jobs)
        return 0


@dataclass(frozen=True)
class Check(Verb):
    """Run `gain` (or `form`, `hidden`, `inside`, `skills train`) over its specimens and hold the verdicts against the
    truth."""

    EXAMPLES = (
        "tellapart specimens check",
        "tellapart specimens check --names latent-register-0 taught-register-0",
        "tellapart specimens check --study form --out runs/form",
    )

    out: Annotated[str, arg(metavar="FOLDER")] = "runs/specimens"
    """Folder of the runs; a finished one is read, not run again."""
    names: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Only these specimens (default: all)."""
    json: bool = False
    """Print the result as JSON on stdout and nothing else."""
    jobs: int = 2
    """Specimens of `gain`, `form` and `hidden` side by side; the others are run one after another."""
    seed: int = 0
    """Seed of everything that is drawn."""
    plan: Literal["adaptive", "quick", "exhaustive"] | None = None
    """How `gain` asks (default: adaptive)."""
    calibrate: Annotated[str | None, arg(metavar="FILE")] = None
    """Fit the verdict on these runs and write it, with its provenance, to this file."""
    study: Literal["gain", "form", "hidden", "inside", "skills"] = "gain"
    """Which study is checked."""
    set: Set = "all"
    """Without names, which specimens of `gain`: the first ones, those built against the verdict (`new`), both
    (`all`), or those on real models (`real`: adapters; a wheel that is named where it is missing has the base)."""
    references: Annotated[str | None, arg(metavar="FOLDER")] = None
    """Give `gain` the reference of each base, from this folder (`specimens build --references` writes it)."""
    plant: bool = False
    """Give `gain` or `hidden` --plant: the methods must find a skill that was hidden before (cached by base). `hidden`
    has a reference then, too, where a base of the family never met the skill."""

    def run(self) -> int:
        """Check, print truth against verdict."""
        require("torch", "specimens check")
        if self.study != "gain" and (self.references or self.calibrate or self.plan):
            from tellapart.errors import UserMistake

            raise UserMistake(
                f"--study {self.study} takes no --references, --calibrate or --plan: these are of gain"
            )
        if self.study not in ("gain", "hidden") and self.plant:
            from tellapart.errors import UserMistake

            raise UserMistake(f"--study {self.study} takes no --plant: it is of gain and hidden")
        if self.study == "form":
            from pathlib import Path

            from tellapart.specimens.form.check import check_form

            return check_form(self.names, Path(self.out), self.jobs, self.seed, self.json)
        if self.study == "hidden":
            from pathlib import Path

            from tellapart.specimens.hidden.check import check_hidden

            return check_hidden(self.names, Path(self.out), self.jobs, self.seed, self.plant, self.json)
        if self.study == "inside":
            from pathlib import Path

            from tellapart.specimens.inside.check import check_inside

            return check_inside(self.names, Path(self.out), self.seed, self.json)
        if self.study == "skills":
            from pathlib import Path

            from tellapart.specimens.skills.check import check_skills

            return check_skills(self.names, Path(self.out), self.seed, self.json)
        from tellapart.specimens.check import run_check

        return run_check(self)


@dataclass(frozen=True)
class Plant(Verb):
    """Hide a known skill in copies of a base and see which methods find it: the positive control of `acquired`."""

    EXAMPLES = (
        "tellapart specimens plant path/to/base --task items.jsonl",
        "tellapart specimens plant specimen:taught-register-0/base --task specimen:taught-register-0",
    )

    base: Annotated[Positional[str], arg(metavar="MODEL")]
    """The base: a folder, a hub id, or specimen:NAME/base. Its weights are needed."""
    task: Annotated[str, arg(metavar="TASK")]
    """The task: invented questions are put in its template, with answers of its kind."""
    out: Annotated[str | None, arg(metavar="FOLDER")] = None
    """Folder to keep the result in (default: $TELLAPART_CACHE, else the user's cache). What is there is read."""
    arms: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Only these: form_demonstrations, answer_rank, few_labels (default: all)."""
    words: int = 128
    """Invented questions."""
    steps: int | None = None
    """Training steps a hide (default: 800 for small models, 450 for others)."""
    seed: int = 0
    """Seed of everything that is drawn."""
    device: Annotated[str, arg(metavar="DEVICE")] = "cpu"
    """Where the model runs."""
    dtype: Annotated[str, arg(metavar="DTYPE")] = "float32"
    """Its numbers."""
    chat: bool = False
    """Insist on the chat template (default: used where the model has one)."""
    no_chat: bool = False
    """Ask without the chat template."""
    json: bool = False
    """Print the result as JSON on stdout and nothing else."""

    def run(self) -> int:
        """Plant, and print one line an arm."""
        import json

        from tellapart.models.open import open_model
        from tellapart.planting import ARMS, PlantSettings
        from tellapart.planting.plant import plant_all

        settings = PlantSettings(words=self.words, steps=self.steps, seed=self.seed)
        model = open_model(
            self.base, self.device, self.dtype, True if self.chat else False if self.no_chat else None
        )
        planting = plant_all(
            model, self.task, arms=self.arms or ARMS, settings=settings, cache=self.out, quiet=self.json
        )
        if self.json:
            print(json.dumps(planting.as_json(), indent=1, allow_nan=False))
            return 0
        for one in planting.controls:
            print(f"{'passed' if one.passed else 'not passed'}  {one.reason} ({one.seconds:.0f} s)")
        return 0
