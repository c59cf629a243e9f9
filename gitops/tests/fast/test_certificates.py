"""The database's certificate authorities in the pods."""

from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509

from lib import render

BUNDLE = render.GITOPS / "platform" / "secrets" / "rds-ca.pem"
# time for AWS to announce a new one, and for us to ship it
NOTICE = timedelta(days=400)


@pytest.fixture(scope="module")
def bundle() -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(BUNDLE.read_bytes())


def test_none_expires_within_a_year_or_so(bundle):
    assert min(c.not_valid_after_utc for c in bundle) > datetime.now(timezone.utc) + NOTICE


def test_they_are_the_three_roots_of_rds_in_the_region(bundle):
    names = sorted(c.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for c in bundle)
    assert names == [f"Amazon RDS eu-west-1 Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")]
    for c in bundle:
        assert c.issuer == c.subject
        assert c.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        c.verify_directly_issued_by(c)


def test_pods_get_the_bundle(platform):
    config_map = platform["ConfigMap", "birthday-api/rds-ca"]
    assert config_map["data"]["rds-ca.pem"] == BUNDLE.read_text()
