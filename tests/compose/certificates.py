"""Certificates for one run: an authority, the backend's, and the publisher's with its SPIFFE id."""

import datetime
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def make(folder):
    """Fills `folder` as DEFENDER_CERTIFICATES is described in run.sh."""
    folder = pathlib.Path(folder)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = sign("Defender test authority", authority_key.public_key(), None, authority_key, [])
    (folder / "ca.crt").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    leaf(folder, "backend", authority, authority_key, [x509.DNSName("backend")], ExtendedKeyUsageOID.SERVER_AUTH)
    identity = x509.UniformResourceIdentifier("spiffe://defender/cluster/compose/publisher/compose-node")
    leaf(folder, "publisher", authority, authority_key, [identity], ExtendedKeyUsageOID.CLIENT_AUTH)


def leaf(folder, name, authority, authority_key, names, usage):
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = [(x509.SubjectAlternativeName(names), False), (x509.ExtendedKeyUsage([usage]), False)]
    made = sign(name, key.public_key(), authority, authority_key, extensions)
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(folder / f"{name}.key", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(pem)


def sign(name, public_key, authority, authority_key, extensions):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority_key, hashes.SHA256())
