"""A policy that demands what a quote claims of its TD and platform, with comments that say so."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cvmproof.policy.looser import looser_rules
from cvmproof.policy.reading import read_policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.policy.values import Demand
from cvmproof.policy.writing import TomlValue, write_toml
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.body import TdBody, TdBody15
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.pck import PckIdentity, read_pck
from cvmproof_formats.tdx.quote import Quote, read_padded_quote
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_formats.x509 import read_certificate

_COMMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tdx.fmspcs": "the kind of platform its certificate names",
        "tdx.ppids": "the processor its certificate names",
        "tdx.platform_instance_ids": "the platform its certificate names; another one once it is set up anew",
        "tdx.minimum_qe_svn": "the version of its quoting enclave",
        "tdx.mr_tds": "the firmware it claims to have been built from",
        "tdx.rtmr0": "the settings it claims of that firmware",
        "tdx.rtmr1": "the boot loader and kernel it claims",
        "tdx.rtmr2": "the command line and initial RAM disk it claims",
        "tdx.rtmr3": 'what it has measured while running; write "any" if it goes on doing so',
        "tdx.mr_config_ids": "the launch configuration it claims, and so the next two",
        "tdx.mr_service_tds": "the service TDs it claims are bound to it",
        "tdx.minimum_module_svns.TDX_00": "the TDX module it claims",
        "tdx.minimum_module_svns.TDX_01": "the TDX module it claims",
        "tdx.minimum_module_svns.TDX_03": "the TDX module it claims",
    }
)
# What a TD may lack of the recommended policy and still be described; never debugging, profiling, or what is unknown.
_MAY_DIFFER: Final = ("servtd_ext", "sept_ve_disable", "migratable")
_NO_MODULE_VERSION: Final = "TDX_00"
_RECOMMENDED: Final = b'{"extends": "builtin:recommended", "tdx": {"mr_tds": "any"}}'


def claimed_tdx_policy(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    """Write the policy as TOML, and name the rules by which it takes what builtin:recommended refuses.

    Raises Malformed for a quote, or a PCK certificate in it, that can't be read.
    """
    quote = read_padded_quote(evidence.report)
    pck = read_pck(read_certificate(read_pck_chain(quote.qe.pck_chain)[0]))
    recommended = read_policy(_RECOMMENDED, name="builtin:recommended")
    document: dict[str, TomlValue] = {"extends": "builtin:recommended", "tdx": _rules(quote, pck, recommended.tdx)}
    text = write_toml(document, _COMMENTS)
    looser = looser_rules(read_policy(text.encode(), name="written"), recommended)
    return text, tuple(one.rule for one in looser)


def _rules(quote: Quote, pck: PckIdentity, recommended: TdxRules | None) -> dict[str, TomlValue]:
    body, svn = quote.body, TeeTcbSvn.read(quote.body.tee_tcb_svn)
    rules = _machine(pck) | {"minimum_qe_svn": quote.qe.report.isv_svn} | _registers(body)
    rules["minimum_module_svns"] = {svn.module_id or _NO_MODULE_VERSION: svn.module_svn}
    differing = [name for name in _MAY_DIFFER if recommended and _differs(name, body.td_attributes, recommended)]
    if differing:
        rules["attributes"] = dict.fromkeys(differing, "any")
    return rules


def _machine(pck: PckIdentity) -> dict[str, TomlValue]:
    rules: dict[str, TomlValue] = {"fmspcs": [pck.fmspc.hex()]}
    if any(pck.ppid):
        rules["ppids"] = [pck.ppid.hex()]
    if pck.platform is not None and any(pck.platform.instance_id):
        rules["platform_instance_ids"] = [pck.platform.instance_id.hex()]
    return rules


def _registers(body: TdBody) -> dict[str, TomlValue]:
    rules: dict[str, TomlValue] = {"mr_tds": [body.mr_td.hex()]}
    rules |= {f"rtmr{index}": [value.hex()] for index, value in enumerate(body.rtmrs)}
    rules |= {
        "mr_config_ids": [body.mr_config_id.hex()],
        "mr_owners": [body.mr_owner.hex()],
        "mr_owner_configs": [body.mr_owner_config.hex()],
    }
    if isinstance(body, TdBody15) and any(body.mr_service_td):
        rules["mr_service_tds"] = [body.mr_service_td.hex()]
    return rules


def _differs(name: str, attributes: int, recommended: TdxRules) -> bool:
    (bit,) = (bit for bit in TD_ATTRIBUTE_BITS if bit.name == name)
    return recommended.attributes[name] is (Demand.FORBIDDEN if attributes & bit.mask else Demand.REQUIRED)
