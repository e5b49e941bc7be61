"""The engine `vllm` on real vLLM, with a tiny model: one server for all of these tests.

They run in the order in which they stand: the last but one kills it, the last has one for adapters.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from conftest import SCRIPT, change_params, make_workspace
from serving import wait_for
from staging import (
    BRANCH,
    EVALUATE,
    REFLECT,
    ROLLOUT,
    complete,
    finish,
    journal_keys,
    set_up,
    start,
)
from test_lora import LORA, make_adapter

from leafe.engine import Completion, Engine, Sampling
from leafe.engines.transformers import TransformersEngine
from leafe.params import load_params
from leafe.reflection import Parse, read_verdict, verdict_pattern
from leafe.serving.demand import server_log
from leafe.serving.lease import kept
from leafe.serving.policy import make_vllm
from leafe.training.checkpoint import load_model, load_tokenizer, save_policy
from leafe.training.small import new_model

pytestmark = pytest.mark.timeout(1200)  # a start takes 40 s on two idle cores, minutes on busy ones

NEVER: tuple[int, ...] = ()
"""No stop token; vLLM refuses one that its model does not have."""
CONTROL = range(1, 4)
"""Token ids of the small tokenizer's turns."""


class Place(NamedTuple):
    """A workspace with policies i0 and i1, whose servers are kept."""

    folder: Path
    eos: int

    def policy(self, name: str = "i0") -> Path:
        return self.folder / "policies/leafe" / name

    def draw(self, asked: Sequence[tuple[Sequence[int], Sampling]], name: str = "i0") -> Any:
        """What vLLM draws."""
        with chdir(self.folder):
            return together(make_vllm(load_params(), Path("policies/leafe") / name), asked)

    def draw_here(self, asked: Sequence[tuple[Sequence[int], Sampling]], name: str = "i0") -> Any:
        """What the engine in this process draws."""
        model = load_model(self.policy(name)).eval()
        return together(TransformersEngine(model, rows=8, max_length=512), asked)

    def starts(self) -> int:
        """How often the server was started."""
        return len(set(re.findall(r"APIServer pid=(\d+)", self.log())))

    def log(self) -> str:
        return (self.folder / server_log(0)).read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Of the keeper, its server, and the server's own."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.folder) and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:
                pass
        return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, policy_dir: Path, vllm_python: Path
) -> Iterator[Place]:
    torch.set_num_threads(1)
    folder = make_workspace(tmp_path_factory.mktemp("vllm") / "project", policy_dir)
    change_params(
        folder,
        run={"threads": 1},
        env={"name": "slow:SlowDesk", "train_tasks": 8, "test_tasks": 4},
        engine={"name": "vllm", "script": None, "python": str(vllm_python), "rows": 64},
        rollout={"samples": 2},
        sampling={"reflection_tokens": 128},
    )
    set_up(folder, yaml.safe_dump(SCRIPT))
    tokenizer = load_tokenizer(policy_dir)
    other = new_model(tokenizer, hidden=32, layers=1, heads=1, context=512, seed=1)
    save_policy(other, tokenizer, folder / "policies/leafe/i1")
    complete(folder, ("tasks",))
    place = Place(folder, tokenizer.eos_token_id)
    with chdir(folder):
        keeping = kept()
        keeping.__enter__()
    try:
        yield place
    finally:
        keeping.__exit__(None, None, None)
        for process in place.processes():
            process.kill()


def together(engine: Engine, asked: Sequence[tuple[Sequence[int], Sampling]]) -> list[Completion]:
    async def run() -> list[Completion]:
        try:
            return await asyncio.gather(*(engine.generate(p, s) for p, s in asked))
        finally:
            await engine.close()

    return asyncio.run(run())


def prompts() -> list[tuple[int, ...]]:
    """Of different lengths, beyond a block of vLLM's cache too."""
    rng = torch.Generator().manual_seed(0)
    lengths = (1, 3, 17, 40, 100, 300)
    return [tuple(torch.randint(5, 400, (n,), generator=rng).tolist()) for n in lengths]


def ids(drawn: Sequence[Completion]) -> list[tuple[int, ...]]:
    return [completion.token_ids for completion in drawn]


def test_greedy_tokens_and_their_logprobs_are_those_of_the_engine_in_process(place: Place) -> None:
    asked = [(prompt, Sampling(0.0, 12, 0, NEVER)) for prompt in prompts()]
    drawn, here = place.draw(asked), place.draw_here(asked)
    assert ids(drawn) == ids(here)
    for ours, theirs in zip(here, drawn, strict=True):
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=1e-3)


def test_logprobs_are_those_at_the_sampling_temperature(place: Place) -> None:
    asked = [(prompt, Sampling(0.7, 12, n, NEVER)) for n, prompt in enumerate(prompts())]
    model = load_model(place.policy()).eval()
    for (prompt, sampling), drawn in zip(asked, place.draw(asked), strict=True):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *drawn.token_ids]])).logits[0]
        rows = (logits.float() / sampling.temperature).log_softmax(-1)[len(prompt) - 1 :]
        direct = [float(row[token]) for row, token in zip(rows, drawn.token_ids, strict=False)]
        assert drawn.logprobs == pytest.approx(direct, abs=1e-3)


def test_equal_seeds_draw_alike_and_others_do_not(place: Place) -> None:
    asked = [(prompts()[2], Sampling(1.0, 12, seed, NEVER)) for seed in (5, 5, 2**63 - 1, 6)]
    first, again, large, other = ids(place.draw(asked))
    assert first == again
    assert len({first, large, other}) == 3


def test_our_stop_tokens_end_a_drawing_and_no_others(place: Place) -> None:
    free = ids(place.draw([(prompts()[3], Sampling(1.0, 100, 1, NEVER))]))[0]
    stop = free[40]
    first = free.index(stop)
    (stopped,) = place.draw([(prompts()[3], Sampling(1.0, 100, 1, (stop,)))])
    assert stopped.token_ids == free[: first + 1]
    assert stopped.finish == "stop"
    # The model's own end, drawn often at this temperature, ends nothing.
    asked = [(prompts()[3], Sampling(2.0, 100, seed, NEVER)) for seed in range(30)]
    drawn = place.draw(asked)
    assert any(place.eos in completion.token_ids[:-1] for completion in drawn)
    assert {len(completion.token_ids) for completion in drawn} == {100}


def test_a_structured_reflection_is_always_a_verdict(place: Place) -> None:
    """Of random weights, at a high temperature."""
    pattern, steps = verdict_pattern(4), 4
    asked = [
        (prompts()[2], Sampling(1.5, 400, seed, (place.eos,), pattern=pattern))
        for seed in range(24)
    ]
    tokenizer = load_tokenizer(place.policy())
    verdicts = []
    for drawn in place.draw(asked):
        assert drawn.finish == "stop"
        if not any(token in CONTROL for token in drawn.token_ids):  # told apart, and counted
            text = tokenizer.decode(drawn.token_ids[:-1])
            verdicts.append(read_verdict(text, steps))
    assert len(verdicts) > 12
    assert {verdict.parse for verdict in verdicts} == {Parse.OK}
    assert {verdict.rollback_step for verdict in verdicts} > {None}


def test_new_weights_take_the_place_of_the_old_and_so_do_their_keys_and_values(
    place: Place,
) -> None:
    asked = [(prompt, Sampling(0.0, 12, 0, NEVER)) for prompt in prompts()]
    before, after = place.draw(asked, "i0"), place.draw(asked, "i1")
    here = place.draw_here(asked, "i1")
    assert ids(before) != ids(after) == ids(here)
    for ours, theirs in zip(here, after, strict=True):
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=1e-3)
    assert ids(place.draw(asked, "i0")) == ids(before)
    assert place.starts() == 1


def outcomes(place: Place, name: str) -> list[str]:
    table = pq.read_table(place.folder / f"data/leafe/{name}")
    return [str(outcome) for outcome in table["outcome"].to_pylist()]


def test_the_stages_run_on_one_server(place: Place) -> None:
    for stage in (ROLLOUT, REFLECT, BRANCH, EVALUATE):
        complete(place.folder, stage)
    assert len(outcomes(place, "i1/tree/w0/episodes.parquet")) == 8 * 2
    assert len(outcomes(place, "i0/evaluation.parquet")) == 4 * 4
    reflections = pq.read_table(place.folder / "data/leafe/i1/tree/w1/reflections.parquet")
    assert len(reflections) >= 8
    branches = outcomes(place, "i1/tree/w1/episodes.parquet")
    assert branches != []
    assert "engine_error" not in [*branches, *outcomes(place, "i1/tree/w0/episodes.parquet")]
    assert place.starts() == 1


def test_an_engine_that_is_killed_in_the_midst_of_a_stage_costs_time_alone(place: Place) -> None:
    shutil.rmtree(place.folder / "data/leafe/i1")
    process = start(place.folder, ROLLOUT, PAUSE="0.3")
    wait_for(lambda: journal_keys(place.folder), seconds=120)
    (engine,) = (p for p in place.processes() if "EngineCore" in " ".join(p.cmdline()))
    engine.kill()
    assert len(journal_keys(place.folder)) < 8
    assert finish(process, 900) == 0, (place.folder / "said.txt").read_text()
    assert len(outcomes(place, "i1/tree/w0/episodes.parquet")) == 8 * 2
    assert "engine_error" not in outcomes(place, "i1/tree/w0/episodes.parquet")
    record = json.loads((place.folder / "data/leafe/i1/tree/w0/episodes.record.json").read_text())
    assert record["counts"]["kept"] == 16
    assert place.starts() == 2


def test_nothing_is_left_when_the_keeper_is_killed(place: Place) -> None:
    (keeper,) = (p for p in place.processes() if "leafe.serving.keeper" in p.cmdline())
    assert len(place.processes()) >= 4  # guard, API server, engine, and more
    keeper.kill()
    time.sleep(0.1)
    wait_for(lambda: not place.processes(), seconds=30)


def test_an_adapter_and_its_base_are_served_by_one_server(place: Place) -> None:
    change_params(place.folder, sft={"lora": LORA.model_dump()})
    make_adapter(place.policy("i0"), place.policy("i2"))
    before = place.starts()
    asked = [(prompt, Sampling(0.0, 12, 0, NEVER)) for prompt in prompts()]
    base, adapted, again = (place.draw(asked, name) for name in ("i0", "i2", "i0"))
    here = place.draw_here(asked, "i2")
    assert ids(base) == ids(again) != ids(adapted) == ids(here)
    for ours, theirs in zip(here, adapted, strict=True):
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=1e-3)
    assert place.starts() == before + 1
