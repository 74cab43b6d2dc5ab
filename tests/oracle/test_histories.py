"""Family histories against the oracle: Hypothesis looks for a short one that goes wrong, random walks for rare ones."""

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.oracle.__main__ import run
from tests.oracle.history import ANSWERS, FORWARD, JUMPS, History, begin_history, random_round, trouble_for
from tests.oracle.known import KNOWN
from tests.oracle.moves import MOVES
from tests.oracle.site import make_template

SEEDS = (1, 2)
STEPS = 10_000
"""For each seed, in a process of its own where there are two."""


class Histories(RuleBasedStateMachine):
    """One or two families; every step is drawn one by one, so that a failure shrinks to the few that matter."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.history: History

    @initialize(data=st.data(), families=st.integers(1, 2))
    def begins(self, data: st.DataObject, families: int) -> None:
        folder = Path(self.folder.name)
        self.history = begin_history(folder, self.template, _chooser(data), families=families, known=KNOWN)

    @rule(data=st.data(), move=st.sampled_from(MOVES))
    def changes(self, data: st.DataObject, move: Any) -> None:
        choose = _chooser(data)
        self.history.change(choose(self.history.families), move, choose)

    @rule(delta=st.sampled_from(FORWARD + JUMPS))
    def time_passes(self, delta: Any) -> None:
        self.history.passes(delta)

    @rule(full=st.booleans())
    def syncs(self, full: bool) -> None:
        self.history.sync(full=full)

    @rule(data=st.data(), full=st.booleans())
    def syncs_in_trouble(self, data: st.DataObject, full: bool) -> None:
        self.history.sync(full=full, trouble=trouble_for(self.history, _chooser(data)))

    @rule(data=st.data())
    def syncs_a_person(self, data: st.DataObject) -> None:
        if refs := self.history.site.ehr.refs():
            self.history.person(data.draw(st.sampled_from(sorted(refs))))

    @rule()
    def reviews(self) -> None:
        self.history.review()

    @rule()
    def plans(self) -> None:
        self.history.plan()

    @rule(answer=st.sampled_from(ANSWERS))
    def delivers(self, answer: str) -> None:
        self.history.deliver(answer)

    @rule()
    def releases(self) -> None:
        self.history.release()

    @rule(data=st.data())
    def registers(self, data: st.DataObject) -> None:
        self.history.register(_chooser(data))

    @rule(data=st.data())
    def revokes_or_lifts(self, data: st.DataObject) -> None:
        self.history.revoke_or_lift(_chooser(data))

    @rule(data=st.data())
    def answers(self, data: st.DataObject) -> None:
        self.history.answer(_chooser(data))

    def teardown(self) -> None:
        self.history.site.close()
        self.folder.cleanup()


def _chooser(data: st.DataObject) -> Any:
    return lambda options: data.draw(st.sampled_from(list(options)))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template"))


def test_no_short_history_opens_or_sends_what_the_oracle_forbids(template: Path) -> None:
    Histories.template = template
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    machine = settings(
        max_examples=30, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=slow
    )
    run_state_machine_as_test(Histories, settings=machine)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_long_history_opens_or_sends_what_the_oracle_forbids(seed: int, tmp_path: Path) -> None:
    done = run(STEPS, seed, tmp_path)
    assert done["steps"] >= STEPS
    assert min(done["grants judged"], done["clearly allowed"], done["mails judged"]) > STEPS // 50  # it did look


def test_a_history_is_the_same_every_time(tmp_path: Path) -> None:
    trails = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        random = Random(7)
        history = begin_history(folder, make_template(folder), random.choice, families=2, known=KNOWN)
        for _ in range(3):
            random_round(history, random)
        trails.append(history.trail)
        history.site.close()
    assert trails[0] == trails[1]
