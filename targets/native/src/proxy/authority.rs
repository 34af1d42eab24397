//! The authority that speaks for every granted host, within one run and one sandbox.
//!
//! Invariant: its key is made here, is in memory alone and goes with the proxy. Only a program that
//! is given its certificate trusts it.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Clients refuse certificates that hold much longer than a year.
const VALID: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Clocks differ.
const VALID_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);
/// More are made anew: a grant may be for all names below another.
const KEPT: usize = 256;

/// An authority, and what it has signed.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    leaves: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    /// One that nobody knows yet.
    pub(super) fn new() -> io::Result<Self> {
        let mut params = params(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Tau egress proxy, this run alone");
        // For the names themselves, and for no authority below.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?,
            leaves: Mutex::default(),
        })
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What speaks TLS as `host`, a name or an address.
    pub(super) fn server(&self, host: &str) -> io::Result<Arc<ServerConfig>> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = leaves.get(host) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.sign(host)?);
        if leaves.len() >= KEPT {
            leaves.clear();
        }
        leaves.insert(host.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    fn sign(&self, host: &str) -> io::Result<ServerConfig> {
        let mut params = params(vec![host.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, "Tau");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // A key of its own, so that each has a serial number of its own.
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = params.signed_by(&key, &self.issuer);
        let leaf: CertificateDer<'static> = leaf.map_err(io::Error::other)?.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn params(hosts: Vec<String>) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let now = SystemTime::now();
    params.not_before = (now - VALID_BEFORE).into();
    params.not_after = (now + VALID - VALID_BEFORE).into();
    Ok(params)
}
