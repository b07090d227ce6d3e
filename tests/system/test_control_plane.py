"""The control plane as attacker: whatever it says, it ends in the verdict and the exit code of the design.

Real sockets throughout: a fake Prism that lies, an honest agent, another one that runs something else, and the command
line as an operator types it. Nothing is ever sent to where it leads but what the attested exchange needs, and the token
goes to the API alone.
"""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.verifier.channel.fake_agent import PSP, FakeAgent, evidence_for, framed, spki_of
from tests.verifier.cvm.scene import OTHER_SOFTWARE, POLICY, TOKEN, policy_bytes, signed
from tests.verifier.policy.signing import KEY, OTHERS, public_pem

from cvmproof.channel.tls import TlsConnection
from cvmproof.cli.main import cli
from cvmproof.errors import EndpointError
from cvmproof.prism.client import PrismClient
from cvmproof.prism.token import Token
from cvmproof_formats.binding import Role, Tee, channel_report_data
from cvmproof_protos.v1.attestation_pb2 import AttestedRequest
from cvmproof_simulator.evidence import collateral_files
from cvmproof_simulator.fake_service import Elsewhere
from cvmproof_simulator.misbehaviour import announced_length, endless_body, html, redirect, slow_body
from cvmproof_simulator.prism import FakePrism

ACCEPTED, MISUSE, REJECTED, ENDPOINT = 0, 1, 3, 5
BAD_ADDRESSES = {
    "metadata": "169.254.169.254:443",
    "metadata by IPv6": "[fd00:ec2::254]:443",
    "loopback": "127.0.0.1:443",
    "loopback by IPv6": "[::1]:443",
    "loopback mapped": "[::ffff:127.0.0.1]:443",
    "private": "10.0.0.1:443",
    "unique local": "[fd00::1]:443",
    "unspecified": "0.0.0.0:443",
    "hexadecimal": "0x7f.1:443",
    "one number": "2130706433:443",
    "trailing dot": "localhost.:443",
    "credentials": "https://user:password@agent.example.com",
    "another scheme": "http://agent.example.com",
    "a path": "https://agent.example.com/../admin",
    "a new line": "https://agent.example.com\r\nHost: internal",
    "look-alike": "https://xn--gent-0qa.example.com",
    "another port": "https://8.8.8.8:22",
}


@dataclass
class Ran:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:  # noqa: ANN401 -- JSON, looked into by tests
        """The one object on standard output."""
        return json.loads(self.stdout)

    @property
    def category(self) -> str:
        """Of the error."""
        return str(self.document["error"]["category"])

    @property
    def failed(self) -> set[str]:
        """Categories of the checks that failed."""
        return {check["category"] for check in self.document["checks"] if check["outcome"] == "fail"}

    @property
    def findings(self) -> list[str]:
        """Names of what was found."""
        return [finding["id"] for finding in self.document["findings"]]


@dataclass
class Operator:
    """Somebody at a command line, with a floor, a key and a memory of their own."""

    prism: FakePrism
    good: FakeAgent
    evil: FakeAgent
    folder: Path
    cvm: str

    def file(self, name: str, data: bytes) -> str:
        """Write a file."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    @property
    def floor(self) -> tuple[str, str]:
        """A floor that names the software."""
        return "--floor", self.file("floor.toml", POLICY)

    @property
    def key(self) -> tuple[str, str]:
        """The operator's key."""
        return "--policy-key", self.file("operator.pem", public_pem(KEY))

    def verify(self, *options: str, cvm: str | None = None, opened: bool = True) -> Ran:
        """Verify a CVM; `opened` takes loopback addresses."""
        command = [
            *("cvm", "verify", cvm or self.cvm, "--api", self.prism.url, "--domain", self.prism.domain),
            *("--token-file", self.file("token", TOKEN.encode() + b"\n")),
            *("--trust", "simulated", "--offline", "--collateral", str(self.folder / "collateral")),
            *("--state", str(self.folder / "state"), "--json", "--log-level", "debug"),
            *(("--allow-address", "127.0.0.0/8", "--allow-port", "1024-65535") if opened else ()),
            *options,
        ]
        (self.folder / "token").chmod(0o600)
        result = CliRunner().invoke(cli, command)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        assert TOKEN not in ran.stdout + ran.stderr
        return ran


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "collateral").mkdir()
    for name, data in collateral_files(PSP, datetime.now(UTC).replace(microsecond=0)).items():
        (tmp_path / "collateral" / name).write_bytes(data)
    evil = FakeAgent(answer=other_software)
    with FakePrism(domain="workspace", token=TOKEN) as prism, FakeAgent() as good, evil:
        cvm = prism.add("cvm-good", id="cvm-good", agent_url=good.url, policy=POLICY)
        yield Operator(prism, good, evil, tmp_path, cvm)
        for agent in (good, evil):
            assert TOKEN.encode() not in bytes(agent.received)
            assert agent.received == b"", "something was said to an agent before or without its verdict"


def other_software(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
    evidence = evidence_for(agent, nonce=request.nonce, ekm=connection.exporter_value(request.nonce))
    data = channel_report_data(
        role=Role.SERVER,
        tee=Tee.SEV_SNP,
        nonce=request.nonce,
        spki=spki_of(agent),
        ekm=connection.exporter_value(request.nonce),
    )
    evidence.report = agent.psp.report(data, measurement=OTHER_SOFTWARE)
    return framed(evidence)


# --- the honest one --------------------------------------------------------------------------------------------------


def test_an_honest_control_plane_and_an_operators_floor_are_accepted(operator: Operator) -> None:
    ran = operator.verify(*operator.floor)
    assert ran.code == ACCEPTED
    document = ran.document
    assert (document["verdict"], document["assurance"]) == ("accepted", "channel-bound")
    assert (document["policy_authority"], document["simulated"]) == ("operator", True)
    assert document["cvm"]["id"] == "cvm-good"
    assert document["cvm"]["policy"]["signed_by"] is None
    assert ran.findings == []


def test_a_policy_that_the_operator_signed_needs_no_floor(operator: Operator) -> None:
    operator.prism.set_policy(operator.cvm, signed(operator.cvm, serial=3))
    ran = operator.verify(*operator.key)
    assert ran.code == ACCEPTED
    assert ran.document["policy_authority"] == "operator-signed"
    assert ran.document["cvm"]["policy"]["serial"] == 3


def test_a_policy_whose_digest_the_operator_named_needs_none_either(operator: Operator) -> None:
    pin = f"sha256:{hashlib.sha256(POLICY).hexdigest()}"
    assert operator.verify("--policy-digest", pin).code == ACCEPTED
    operator.prism.set_policy(operator.cvm, policy_bytes(OTHER_SOFTWARE))
    ran = operator.verify("--policy-digest", pin)
    assert (ran.code, ran.category) == (MISUSE, "POLICY_MISMATCH")


# --- it names a machine and the policy that takes it -----------------------------------------------------------------


def test_url_and_policy_swapped_together_are_its_word_alone(operator: Operator) -> None:
    operator.prism.swap(operator.cvm, agent_url=operator.evil.url, policy=policy_bytes(OTHER_SOFTWARE))
    ran = operator.verify()
    assert (ran.code, ran.category) == (MISUSE, "POLICY_INVALID")
    assert "the word of the control plane alone" in ran.document["error"]["message"]
    assert operator.evil.connections == []


def test_url_and_policy_swapped_together_are_refused_by_the_floor(operator: Operator) -> None:
    operator.prism.swap(operator.cvm, agent_url=operator.evil.url, policy=policy_bytes(OTHER_SOFTWARE))
    ran = operator.verify(*operator.floor)
    assert (ran.code, ran.failed) == (REJECTED, {"MEASUREMENT"})
    assert ran.findings == ["cvm.policy.looser"]


def test_url_and_policy_swapped_together_are_refused_without_the_operators_signature(operator: Operator) -> None:
    operator.prism.swap(operator.cvm, agent_url=operator.evil.url, policy=policy_bytes(OTHER_SOFTWARE))
    ran = operator.verify(*operator.key)
    assert (ran.code, ran.category) == (MISUSE, "SIGNATURE")
    forged = signed(operator.cvm, policy=policy_bytes(OTHER_SOFTWARE), key=OTHERS["ES256"])
    operator.prism.set_policy(operator.cvm, forged)
    ran = operator.verify(*operator.key)
    assert (ran.code, ran.category) == (MISUSE, "SIGNATURE")
    assert operator.evil.connections == []


def test_whoever_trusts_it_is_told_so(operator: Operator) -> None:
    operator.prism.swap(operator.cvm, agent_url=operator.evil.url, policy=policy_bytes(OTHER_SOFTWARE))
    ran = operator.verify("--trust-control-plane")
    assert ran.code == ACCEPTED
    assert ran.document["policy_authority"] == "control-plane"


# --- it serves another policy ----------------------------------------------------------------------------------------


def test_yesterdays_signed_policy_is_refused_ac_093(operator: Operator) -> None:
    operator.prism.set_policy(operator.cvm, signed(operator.cvm, serial=1))
    operator.prism.set_policy(operator.cvm, signed(operator.cvm, serial=2))
    assert operator.verify(*operator.key).code == ACCEPTED
    operator.prism.serve_policy(operator.cvm, 1)
    ran = operator.verify(*operator.key)
    assert (ran.code, ran.category) == (MISUSE, "ROLLBACK")


def test_yesterdays_unsigned_policy_is_reported(operator: Operator) -> None:
    operator.prism.set_policy(operator.cvm, POLICY + b"# today\n")
    assert operator.verify(*operator.floor).findings == []
    operator.prism.serve_policy(operator.cvm, 0)
    ran = operator.verify(*operator.floor)
    assert (ran.code, ran.findings) == (ACCEPTED, ["cvm.policy.changed"])


def test_another_cvms_signed_policy_is_refused_ac_093(operator: Operator) -> None:
    other = operator.prism.add("cvm-other", id="cvm-other", agent_url=operator.good.url, policy=signed("cvm-other"))
    operator.prism.serve_policy_of(operator.cvm, other)
    ran = operator.verify(*operator.key)
    assert (ran.code, ran.category) == (MISUSE, "IDENTITY")
    assert operator.verify(*operator.key, cvm=other).code == ACCEPTED


@pytest.mark.parametrize("vouched", ["floor", "key"])
def test_an_empty_policy_is_none(operator: Operator, vouched: str) -> None:
    operator.prism.serve_no_policy(operator.cvm)
    ran = operator.verify(*getattr(operator, vouched))
    assert (ran.code, ran.category) == (MISUSE, "POLICY_INVALID")
    assert operator.good.connections == []


def test_a_looser_policy_loosens_nothing_ac_092(operator: Operator) -> None:
    loose = policy_bytes(rules='vmpls = "any"\nguest_policy = { debug = "any" }\n')
    operator.prism.set_policy(operator.cvm, loose)
    ran = operator.verify(*operator.floor)
    assert ran.code == ACCEPTED
    assert set(ran.findings) == {"cvm.policy.looser"}
    assert {finding["category"] for finding in ran.document["findings"]} == {"POLICY_INVALID"}
    operator.prism.change(operator.cvm, agent_url=operator.evil.url)
    operator.prism.set_policy(operator.cvm, policy_bytes(OTHER_SOFTWARE, 'guest_policy = { debug = "any" }\n'))
    ran = operator.verify(*operator.floor)
    assert (ran.code, ran.failed) == (REJECTED, {"MEASUREMENT"})


def test_a_record_of_another_technology_is_reported(operator: Operator) -> None:
    operator.prism.change(operator.cvm, cc_platform="tdx")
    ran = operator.verify(*operator.floor)
    assert (ran.code, ran.findings) == (ACCEPTED, ["cvm.platform"])


# --- it points somewhere else ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
def test_ac_112_an_address_that_leads_inwards_is_not_gone_to(operator: Operator, text: str) -> None:
    operator.prism.change(operator.cvm, agent_url=text)
    ran = operator.verify(*operator.floor, opened=False)
    assert (ran.code, ran.category) == (ENDPOINT, "ENDPOINT")


def test_ac_112_a_name_is_looked_up_once_so_that_a_second_answer_changes_nothing(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 -- the resolver's own
        if host != "agent.example.com":
            return real(host, port, *arguments, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    operator.prism.change(operator.cvm, agent_url=f"agent.example.com:{operator.good.port}")
    ran = operator.verify(
        *operator.floor, "--allow-address", "127.0.0.1/32", "--allow-port", "1024-65535", opened=False
    )
    assert ran.code == ACCEPTED
    assert asked == ["agent.example.com"]


def test_ac_112_a_name_of_which_one_address_leads_inwards_is_not_gone_to(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvmproof.channel.address._look_up", lambda host, port: ["93.184.215.14", "169.254.169.254"])
    operator.prism.change(operator.cvm, agent_url="agent.example.com:443")
    ran = operator.verify(*operator.floor, opened=False)
    assert (ran.code, ran.category) == (ENDPOINT, "ENDPOINT")
    assert "169.254.169.254" in ran.document["error"]["message"]


def test_ac_112_a_redirect_from_the_api_is_not_followed_and_the_token_not_sent_on(operator: Operator) -> None:
    with Elsewhere() as elsewhere:
        for path in ("/cvm-good", "attestation_policy"):
            operator.prism.behave()
            operator.prism.misbehave(redirect(f"{elsewhere.url}/backends"), path=path)
            ran = operator.verify(*operator.floor)
            assert (ran.code, ran.category) == (ENDPOINT, "ENDPOINT")
        assert elsewhere.requests == ()


def test_ac_112_an_agent_that_redirects_by_http_is_no_agent(operator: Operator) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        operator.prism.change(operator.cvm, agent_url=f"127.0.0.1:{listening.getsockname()[1]}")
        assert operator.verify(*operator.floor).code == ENDPOINT
        thread.join(10)


# --- it answers with something else ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cvm-good", "attestation_policy"])
@pytest.mark.parametrize(
    "misbehaviour",
    [html, endless_body, lambda: announced_length(10_000_000_000)],
    ids=["a page", "endless", "10 GB announced"],
)
def test_ac_114_an_answer_that_is_none_of_the_apis_is_the_endpoints_fault(
    operator: Operator, misbehaviour: Callable[[], Any], path: str
) -> None:
    operator.prism.misbehave(misbehaviour(), path=path)
    ran = operator.verify(*operator.floor)
    assert ran.code == ENDPOINT
    assert ran.category in {"ENDPOINT", "UNAVAILABLE", "SIZE_LIMIT"}
    assert operator.good.connections == []


def test_ac_114_a_body_that_trickles_ends_with_the_calls_deadline(operator: Operator) -> None:
    operator.prism.misbehave(slow_body(0.05), path="attestation_policy")
    client = PrismClient(operator.prism.url, domain="workspace", token=Token(TOKEN), timeout=1.0)
    with client, pytest.raises(EndpointError):
        client.attestation_policy(operator.cvm)


def test_an_expired_token_is_said_and_nothing_is_gone_to(operator: Operator) -> None:
    operator.prism.revoke(TOKEN)
    ran = operator.verify(*operator.floor)
    assert ran.code == ENDPOINT
    assert operator.good.connections == []


# --- the machine is another one --------------------------------------------------------------------------------------


def test_another_machine_of_the_same_software_is_refused_by_a_pin_alone_ac_046(operator: Operator) -> None:
    ours = ("--pin", f"machine:{PSP.chip_id.hex()}")
    assert operator.verify(*operator.floor, *ours).code == ACCEPTED
    ran = operator.verify(*operator.floor, "--pin", f"machine:{'11' * 64}")
    assert (ran.code, ran.failed) == (REJECTED, {"IDENTITY"})


def test_a_name_that_was_given_to_another_machine_is_refused_ac_048(operator: Operator) -> None:
    first_use = (*operator.floor, "--pin", "first-use")
    assert operator.verify(*first_use).document["identity_pinned"] == "none"
    again = operator.verify(*first_use).document
    assert (again["identity_pinned"], again["identity_pin_source"]) == ("instance", "first-use")
    with FakeAgent(psp=replace(PSP, chip_secret=b"of another chip entirely")) as other:
        operator.prism.change(operator.cvm, agent_url=other.url)
        ran = operator.verify(*first_use)
        assert (ran.code, ran.failed) == (REJECTED, {"IDENTITY"})
        assert operator.verify(*operator.floor).code == ACCEPTED


def test_the_end_of_a_signature_is_the_end_of_the_verdict(operator: Operator) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=90)
    operator.prism.set_policy(operator.cvm, signed(operator.cvm, expires=soon))
    ran = operator.verify(*operator.key)
    assert ran.code == ACCEPTED
    assert ran.document["expires_at"] == soon.strftime("%Y-%m-%dT%H:%M:%SZ")
