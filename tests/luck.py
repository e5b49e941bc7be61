"""A desk on which anybody has some luck, and a policy that acts: for what learns by reward."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from conftest import change_params, make_workspace
from safetensors.torch import load_file
from staging import GRPO, complete

from leafe.chat import Chat, read_prompts
from leafe.envs.desk import Desk
from leafe.lessons import render

DESKS = '''
"""Desks on which every ticket ends with the second call, whatever that is."""
import os, signal, time
from transformers import PreTrainedTokenizerBase
from leafe.env import StepResult
from leafe.envs.desk import Desk, DeskEnv

class CoinDesk(Desk):
    """Solved by a second call of the first half of the alphabet."""
    env = "CoinEnv"
    def make(self):
        return globals()[self.env](self.settings.refusals, self.settings.feedback)

class LostDesk(CoinDesk):
    """Never solved."""
    env = "LostEnv"

class DownDesk(CoinDesk):
    """Its service is down."""
    env = "DownEnv"

if os.environ.get("DIE") == "saving":
    PreTrainedTokenizerBase.save_pretrained = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)

class CoinEnv(DeskEnv):
    made = 0
    def wins(self, action):
        return action < "j"
    def step(self, action):
        time.sleep(float(os.environ.get("PAUSE", "0")))
        self.made += 1
        won = float(self.made == 2 and self.wins(action))
        return StepResult(f"call {self.made} made.", won, self.made == 2, False)

class LostEnv(CoinEnv):
    def wins(self, action):
        return False

class DownEnv(CoinEnv):
    def start(self, task):  # not in step: a policy may fail before it
        raise OSError("the service is down")
'''
ROUNDS, TASKS, GROUP = 4, 12, 6
MADE = "data/grpo/i1/tree/w0/episodes.parquet"


def train_to_act(policy_dir: Path, desk: Desk, folder: Path) -> Path:
    """The tiny policy after a few steps of training: it makes calls, if not the right ones."""
    from leafe.training.checkpoint import load_model, load_tokenizer, save_policy
    from leafe.training.trainer import TrainSettings, WeightedTokens, train

    model, tokenizer = load_model(policy_dir), load_tokenizer(policy_dir)
    chat = Chat(tokenizer, read_prompts("short"), desk.instructions)
    rendered = [one for lesson in desk.lessons(300, seed=0) for one in render(chat, lesson)]
    total = sum(sum(mask) for _, mask in rendered)
    rows = [WeightedTokens(ids, tuple(m / total for m in mask)) for ids, mask in rendered]
    how = TrainSettings(
        steps=60, batch=16, learning_rate=5e-3, warmup=5, weight_decay=0.0, seed=0, save_every=60
    )
    train(model, tokenizer.pad_token_id, rows, how, folder / "checkpoints")
    save_policy(model, tokenizer, folder / "policy")
    return folder / "policy"


@pytest.fixture(scope="module")
def coin(tmp_path_factory: pytest.TempPathFactory, desk: Desk, policy_dir: Path) -> Path:
    """A workspace of the coin's desk, with a policy that acts as its base; its tasks are made."""
    home = tmp_path_factory.mktemp("grpo")
    folder = make_workspace(home / "project", train_to_act(policy_dir, desk, home / "acting"))
    (folder / "coin.py").write_text(DESKS)
    change_params(
        folder,
        run={"threads": 1},
        env={"name": "coin:CoinDesk", "train_tasks": TASKS},
        engine={"name": "transformers", "rows": 64},
        sampling={"action_tokens": 8},
        grpo={"group": GROUP, "tasks": TASKS // ROUNDS, "learning_rate": 5.0e-3},
    )
    shutil.copytree(folder / "tiny", folder / "policies/leafe/i0")
    complete(folder, ("tasks",))
    return folder


@pytest.fixture(scope="module")
def undisturbed(coin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same workspace after the stage ran in peace."""
    folder = shutil.copytree(coin, tmp_path_factory.mktemp("undisturbed") / "project")
    complete(folder, GRPO)
    return folder


@pytest.fixture
def fresh(coin: Path, tmp_path: Path) -> Path:
    return shutil.copytree(coin, tmp_path / "project")


def losses(folder: Path) -> list[dict[str, str]]:
    """The rows of the loss curve."""
    with (folder / "plots/grpo/i1.loss.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same_weights(one: Path, other: Path) -> bool:
    """Whether two policies are the same, bit by bit."""
    a, b = (load_file(policy / "model.safetensors") for policy in (one, other))
    return a.keys() == b.keys() and all(bool((a[name] == b[name]).all()) for name in a)


def states(folder: Path) -> dict[int, Path]:
    """The states on disk by their rounds."""
    return {
        int(path.stem): path for path in folder.glob(".leafe/training/grpo-grpo-i1/*/*.safetensors")
    }
