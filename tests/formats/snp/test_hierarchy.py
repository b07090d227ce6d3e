"""AMD's names are written as AMD writes them, and say which certificate it is."""

from pathlib import Path

import pytest

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import certificates
from cvmproof_formats.snp.hierarchy import (
    INTERMEDIATES,
    KNOWN_NAMES,
    LEAVES,
    P384_START,
    ROOTS,
    RSA_END,
    RSA_START,
    build_name,
    common_name_of,
)
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import common_name, read_certificate


def test_every_recorded_certificate_has_a_known_name_and_a_key_of_its_kind(recorded: Path) -> None:
    paths = [path for path in (recorded / "snp").glob("*/*.der") if path.parent.name in {"roots", "veks"}]
    found = [read_certificate(certificates(path.read_bytes())[0]) for path in paths if "BADSIG" not in path.name]
    assert len(found) > 20
    for certificate in found:
        name = common_name(certificate.subject)
        assert (certificate.subject, certificate.issuer) == (
            build_name(name),
            build_name(common_name(certificate.issuer)),
        )
        assert certificate.spki.startswith(P384_START if name in LEAVES else RSA_START)
        assert name in LEAVES or certificate.spki.endswith(RSA_END)


def test_the_names_say_product_line_and_kind_of_key() -> None:
    assert ROOTS["ARK-Turin"] is ProductLine.TURIN
    assert INTERMEDIATES["SEV-Milan"] == (ProductLine.MILAN, KeyKind.VCEK)
    assert INTERMEDIATES["SEV-VLEK-Genoa"] == (ProductLine.GENOA, KeyKind.VLEK)
    assert LEAVES == {"SEV-VCEK": KeyKind.VCEK, "SEV-VLEK": KeyKind.VLEK}
    assert (len(ROOTS), len(INTERMEDIATES)) == (3, 6)


def test_a_known_name_is_read_as_any_other() -> None:
    assert len(KNOWN_NAMES) == 2 * (3 + 6 + 2)
    for name, common in KNOWN_NAMES.items():
        assert common_name(name) == common_name_of(name) == common
    other = build_name("SEV-Rome", "Somebody")
    assert common_name_of(other) == common_name(other) == "SEV-Rome"


def test_a_name_without_a_common_name_is_refused() -> None:
    with pytest.raises(Malformed, match="one common name"):
        common_name_of(der.sequence())
