"""From a CVM's name to a channel, against real sockets: API, agent, verdict."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import pytest
from tests.verifier.channel.conftest import echo
from tests.verifier.channel.fake_agent import FakeAgent, collateral
from tests.verifier.cvm.scene import (
    FLOOR,
    OTHER_SOFTWARE,
    POLICY,
    TOKEN,
    TRUST,
    DemandChanges,
    Scene,
    policy_bytes,
    scene,
)
from tests.verifier.snp.situation import categories

from cvmproof.appraisal import Assurance, Pin
from cvmproof.collateral.collateral import Collateral
from cvmproof.cvm.agent_url import RULES
from cvmproof.cvm.appraising import AsyncAttestedCvm, appraise_cvm, appraise_cvm_async
from cvmproof.cvm.finding import FindingId
from cvmproof.errors import Category, EndpointError, Misuse, Rejected, Undecided
from cvmproof.marks import AnyIdentity, CvmKey, Identity
from cvmproof.prism.asynchronous import AsyncPrismClient
from cvmproof.prism.token import Token
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.psp import SoftwarePsp

__all__ = ["echo"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def test_an_accepted_cvm_comes_with_its_record_its_reasons_and_its_channel(stage: Scene) -> None:
    with stage.appraise() as cvm:
        assert cvm.cvm.name == "cvm-good"
        assert cvm.appraisal.assurance is Assurance.CHANNEL_BOUND
        assert cvm.appraisal.policy_authority == "operator"
        assert cvm.findings == ()
        assert cvm.channel is cvm.attested.channel
        assert "open until" in repr(cvm)
    assert cvm.attested.ended is not None
    assert not stage.leaked


def test_calls_go_through_what_was_accepted(stage: Scene, echo: str) -> None:
    with FakeAgent(service=echo) as agent:
        stage.prism.change(stage.cvm, agent_url=agent.url.removeprefix("https://"))
        with stage.appraise() as cvm:
            call: Callable[..., bytes] = cvm.channel.unary_unary("/test.Echo/Say")
            assert call(b"hello", timeout=10) == b"hello"


def test_other_software_is_refused_though_the_control_plane_names_it(stage: Scene) -> None:
    stage.prism.set_policy(stage.cvm, policy_bytes(OTHER_SOFTWARE))
    with pytest.raises(Rejected) as caught:
        stage.appraise()
    assert categories(caught.value.appraisal) == {Category.MEASUREMENT}
    assert [note.split()[0] for note in caught.value.__notes__] == [FindingId.POLICY_LOOSER]


def test_renewing_asks_the_api_again(stage: Scene) -> None:
    with stage.appraise() as cvm:
        stage.prism.change(stage.cvm, status="offline")
        with cvm.renew() as again:
            assert again.cvm.status == "offline"
            assert cvm.attested.ended is not None
        stage.prism.serve_no_policy(stage.cvm)
        with pytest.raises(Misuse, match="the policy is empty"):
            again.renew()


def test_another_machine_under_the_same_name_is_refused_ac_048(stage: Scene) -> None:
    with stage.appraise(pin_first_use=True) as cvm:
        assert cvm.appraisal.identity_pinned is Pin.NONE
    with stage.appraise(pin_first_use=True) as cvm:
        assert cvm.appraisal.identity_pinned is Pin.INSTANCE
        assert cvm.appraisal.identity_pin_source == "first-use"
    with FakeAgent(psp=replace(SoftwarePsp(ProductLine.GENOA), chip_secret=b"another chip's secret")) as other:
        stage.prism.change(stage.cvm, agent_url=other.url)
        with pytest.raises(Rejected) as caught:
            stage.appraise(pin_first_use=True)
    assert categories(caught.value.appraisal) == {Category.IDENTITY}


def test_whoever_registers_first_while_another_one_connects_decides_ac_048(
    stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = CvmKey(trust=TRUST.name, api=stage.client.base_url, domain=stage.client.domain, cvm=stage.cvm)
    stranger = Identity(chip_id=b"\x11" * 64, report_id=b"\x22" * 32)
    attestation_policy = stage.client.attestation_policy

    def meanwhile(cvm: str) -> bytes:
        if len(stage.agent.connections) == 0:
            stage.demands.marks.forget(key)
        return attestation_policy(cvm)

    opened = stage.demands.marks.identity

    def identity(asked: CvmKey) -> AnyIdentity | None:
        found = opened(asked)
        if found is None:
            stage.demands.marks.register(asked, stranger)  # by somebody else, after we looked
        return found

    monkeypatch.setattr(stage.client, "attestation_policy", meanwhile)
    monkeypatch.setattr(type(stage.demands.marks), "identity", lambda _, asked: identity(asked))
    with pytest.raises(Rejected) as caught:
        stage.appraise(pin_first_use=True)
    assert categories(caught.value.appraisal) == {Category.IDENTITY}


def test_without_collateral_nothing_is_decided(stage: Scene) -> None:
    with pytest.raises(Undecided):
        appraise_cvm(stage.client, stage.cvm, demands=stage.demands, trust=TRUST, collateral=Collateral(), offline=True)


def test_an_address_that_was_not_opened_is_not_gone_to_ac_112(stage: Scene) -> None:
    with pytest.raises(EndpointError, match="expected a port"):
        stage.appraise(rules=RULES)
    with pytest.raises(EndpointError, match="not a public address"):
        stage.appraise(rules=replace(RULES, ports=frozenset({stage.agent.port})))
    assert stage.agent.connections == []


def test_a_record_of_another_cvm_is_refused(stage: Scene) -> None:
    other = stage.prism.add("cvm-other", agent_url="https://127.0.0.1:1", policy=POLICY)
    stage.prism.answer_view_as(stage.cvm, other)
    with pytest.raises(EndpointError):
        stage.appraise()
    assert stage.agent.connections == []


# --- asyncio ---------------------------------------------------------------------------------------------------------


async def appraised(stage: Scene, **changes: Unpack[DemandChanges]) -> AsyncAttestedCvm:
    async with AsyncPrismClient(stage.prism.url, domain="workspace", token=Token(TOKEN)) as client:
        return await appraise_cvm_async(
            client,
            stage.cvm,
            demands=replace(stage.demands, **changes),
            trust=TRUST,
            collateral=collateral(),
            offline=True,
        )


def test_asyncio_gets_the_same(stage: Scene, echo: str) -> None:
    async def call() -> bytes:
        async with await appraised(stage, pin_first_use=True) as cvm:
            assert "open until" in repr(cvm)
            assert cvm.appraisal.assurance is Assurance.CHANNEL_BOUND
            say: Callable[..., Awaitable[bytes]] = cvm.channel.unary_unary("/test.Echo/Say")
            return await say(b"hello", timeout=10)

    with FakeAgent(service=echo) as agent:
        stage.prism.change(stage.cvm, agent_url=agent.url)
        assert asyncio.run(call()) == b"hello"


def test_asyncio_is_refused_the_same(stage: Scene) -> None:
    stage.prism.set_policy(stage.cvm, policy_bytes(OTHER_SOFTWARE))
    with pytest.raises(Rejected) as caught:
        asyncio.run(appraised(stage))
    assert caught.value.__notes__
    with pytest.raises(Misuse, match="control plane alone"):
        asyncio.run(appraised(stage, floors=()))
    assert FLOOR.constrains_software
