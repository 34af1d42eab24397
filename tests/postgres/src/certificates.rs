//! Who a server is: an authority of the test's own, and one that nobody asked for.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{fs, path::Path};

/// Writes `server.crt`, `server.key`, `ca.pem` and the stranger `wrong-ca.pem` into `folder`.
pub(crate) fn write(folder: &Path) {
    let authority = authority("Tau's tests");
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let put = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
    put("server.crt", certificate.pem());
    put("server.key", key.serialize_pem());
    put("ca.pem", authority.pem());
    put("wrong-ca.pem", self::authority("somebody else").pem());
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}
