"""One CVM examined and let go: an appraisal or an error of ours, never an exception, and no connection left open."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agent.machine import eventually
from tests.verifier.channel.fake_agent import FakeAgent, collateral
from tests.verifier.cvm.scene import OTHER_SOFTWARE, TRUST, DemandChanges, Scene, policy_bytes, scene

from cvmproof.appraisal import Verdict
from cvmproof.channel.judging import Judge, Terms
from cvmproof.cvm.examining import Outcome, examine
from cvmproof.errors import Category, CvmproofError, EndpointError, Misuse
from cvmproof.marks import AnotherMachine, AnyIdentity, CvmKey, Identity, Marks
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import read_policy
from cvmproof_simulator.misbehaviour import status


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def judge_under(policies: Sequence[Policy]) -> Judge:
    return Terms(policies=tuple(policies), trust=TRUST, collateral=collateral(), offline=True).judge


def examined(stage: Scene, changes: DemandChanges | None = None) -> Outcome:
    cvm = stage.client.view(stage.cvm)
    demands = replace(stage.demands, **(changes or {}))
    return examine(stage.client, cvm, demands, trust=TRUST, judge_under=judge_under)


def key(stage: Scene) -> CvmKey:
    return CvmKey(trust=TRUST.name, api=stage.client.base_url, domain=stage.client.domain, cvm=stage.cvm)


def test_an_accepted_one_is_remembered_and_its_connection_ended(stage: Scene) -> None:
    outcome = examined(stage)
    assert outcome.error is None
    assert outcome.case is not None
    assert outcome.appraisal is not None
    assert outcome.appraisal.verdict is Verdict.ACCEPTED
    assert outcome.case.fetched is not None
    assert stage.demands.marks.policy_digest(key(stage)) == outcome.case.fetched.digest
    (connection,) = stage.agent.connections
    eventually(lambda: connection.sock.fileno() == -1)  # the agent closes when its client has
    assert not stage.leaked


def test_a_rejected_one_comes_with_its_appraisal_and_is_not_remembered(stage: Scene) -> None:
    outcome = examined(stage, {"floors": (read_policy(policy_bytes(OTHER_SOFTWARE), name="other"),)})
    assert outcome.error is None
    assert outcome.appraisal is not None
    assert outcome.appraisal.verdict is Verdict.REJECTED
    assert outcome.case is not None
    assert stage.demands.marks.policy_digest(key(stage)) is None


def test_an_undecided_one_comes_with_its_appraisal(stage: Scene) -> None:
    def without_lists(policies: Sequence[Policy]) -> Judge:
        have = replace(collateral(), crls=())
        return Terms(policies=tuple(policies), trust=TRUST, collateral=have, offline=True).judge

    cvm = stage.client.view(stage.cvm)
    outcome = examine(stage.client, cvm, stage.demands, trust=TRUST, judge_under=without_lists)
    assert outcome.appraisal is not None
    assert outcome.appraisal.verdict is Verdict.UNDECIDED
    assert outcome.error is None


def test_without_an_answer_there_is_an_error_and_no_appraisal(stage: Scene) -> None:
    stage.prism.misbehave(status(500), path="attestation_policy")
    outcome = examined(stage)
    assert isinstance(outcome.error, EndpointError)
    assert (outcome.case, outcome.appraisal) == (None, None)
    assert stage.agent.connections == []
    with FakeAgent(answer=lambda *_: b"\0\0\0\0") as strange:
        stage.prism.behave()
        stage.prism.change(stage.cvm, agent_url=strange.url)
        outcome = examined(stage)
    assert isinstance(outcome.error, CvmproofError)
    assert outcome.appraisal is None


def test_a_policy_that_is_not_taken_is_an_error_before_anybody_is_asked(stage: Scene) -> None:
    stage.prism.serve_no_policy(stage.cvm)
    outcome = examined(stage)
    assert isinstance(outcome.error, Misuse)
    assert stage.agent.connections == []


class Late(Marks):
    """Marks in which another process registers a machine between the first look and the registration."""

    def register(self, key: CvmKey, identity: AnyIdentity) -> None:
        """Register the other one first."""
        assert isinstance(identity, Identity)
        if self.identity(key) is None:
            super().register(key, replace(identity, report_id=b"\x77" * 32))
        super().register(key, identity)


def test_one_that_another_process_registered_meanwhile_is_judged_again_by_that(stage: Scene, tmp_path: Path) -> None:
    marks = Late(folder=tmp_path / "late")
    outcome = examined(stage, {"marks": marks, "pin_first_use": True})
    assert outcome.error is None
    assert outcome.appraisal is not None
    assert outcome.appraisal.verdict is Verdict.REJECTED
    assert {check.category for check in outcome.appraisal.failed} == {Category.IDENTITY}
    assert len(stage.agent.requests) == 2


class NeverAgreed(Marks):
    """Marks that always find another machine registered, and never say which."""

    def identity(self, key: CvmKey) -> AnyIdentity | None:
        """There is none."""
        del key
        return None

    def register(self, key: CvmKey, identity: AnyIdentity) -> None:
        """Refuse."""
        raise AnotherMachine(f"{key.cvm}: another than {identity}")


def test_a_second_contradiction_is_the_error(stage: Scene, tmp_path: Path) -> None:
    outcome = examined(stage, {"marks": NeverAgreed(folder=tmp_path / "never"), "pin_first_use": True})
    assert isinstance(outcome.error, AnotherMachine)
    assert outcome.appraisal is None
    assert len(stage.agent.requests) == 2
