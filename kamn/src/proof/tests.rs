//! The figures of W3C vc-di-eddsa, appendix B, for eddsa-jcs-2022.

use super::*;
use crate::{bytes::hex, jcs, multibase};

const SECRET: &str = "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq";
const PUBLIC: &str = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2";
const CREDENTIAL: &str = r#"{
    "@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"}
}"#;
const HASH_DATA: &str = "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19";
const PROOF_VALUE: &str =
    "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX";

fn key() -> SigningKey {
    let bytes = multibase::decode(SECRET).unwrap();
    SigningKey::from_seed(bytes[2..].try_into().unwrap())
}

fn credential() -> Object {
    let value = jcs::parse(CREDENTIAL.as_bytes(), 4096).unwrap();
    value.as_object().unwrap().clone()
}

fn proven() -> Proven {
    let options = Options {
        created: "2023-02-24T23:36:38Z".parse().unwrap(),
        method: alloc::format!("did:key:{PUBLIC}#{PUBLIC}"),
        purpose: Purpose::AssertionMethod,
    };
    Proven::sign(credential(), options, &key())
}

#[test]
fn proof_is_that_of_the_standard() {
    assert_eq!(key().public_key().to_multikey(), PUBLIC);
    let proven = proven();
    assert_eq!(
        hex(&hash_data(proven.config(), proven.document())),
        HASH_DATA
    );
    assert_eq!(proven.signature.to_multibase(), PROOF_VALUE);
    let read = Proven::read(proven.to_object()).unwrap();
    assert_eq!(read, proven);
    let key = key().public_key();
    assert_eq!(read.verify(&key, Purpose::AssertionMethod), Ok(()));
    let error = read.verify(&key, Purpose::Authentication).unwrap_err();
    assert_eq!(error.reason_code(), "proof_purpose_mismatch");
    let other = SigningKey::from_seed(&[7; 32]).public_key();
    let error = read.verify(&other, Purpose::AssertionMethod).unwrap_err();
    assert_eq!(error.reason_code(), "signature_invalid");
}

#[test]
fn whatever_changes_in_document_or_proof_breaks_it() {
    let key = key().public_key();
    let whole = proven().to_object();
    let verify = |object: Object| {
        Proven::read(object)
            .and_then(|proven| proven.verify(&key, Purpose::AssertionMethod))
            .map_err(|error| error.reason_code())
    };
    assert_eq!(verify(whole.clone()), Ok(()));
    assert_eq!(
        verify(whole.clone().with("name", "Other")),
        Err("signature_invalid")
    );
    assert_eq!(
        verify(whole.clone().with("also", true)),
        Err("signature_invalid")
    );
    assert_eq!(
        verify(whole.clone().with("@context", "https://other.example")),
        Err("proof_context_mismatch")
    );
    let proof = whole.get("proof").unwrap().as_object().unwrap();
    let with = |member: &str, value: &str| {
        let proof = proof.clone().with(member, value);
        verify(whole.clone().with("proof", proof))
    };
    assert_eq!(
        with("created", "2023-02-24T23:36:39Z"),
        Err("signature_invalid")
    );
    assert_eq!(
        with("created", "2023-02-24T23:36:38.0Z"),
        Err("signature_invalid")
    );
    assert_eq!(
        with("verificationMethod", "did:key:z6Mk"),
        Err("signature_invalid")
    );
    assert_eq!(
        with("proofPurpose", "authentication"),
        Err("proof_purpose_mismatch")
    );
    assert_eq!(
        with("proofPurpose", "keyAgreement"),
        Err("proof_unsupported")
    );
    assert_eq!(
        with("type", "Ed25519Signature2020"),
        Err("proof_unsupported")
    );
    assert_eq!(
        with("cryptosuite", "eddsa-rdfc-2022"),
        Err("proof_unsupported")
    );
    assert_eq!(with("nonce", "1"), Err("json_field_unknown"));
    assert_eq!(with("proofValue", "z"), Err("multibase_invalid"));
    assert_eq!(with("proofValue", "z11"), Err("length_invalid"));
    let mut without = whole.clone();
    without.remove("proof");
    assert_eq!(verify(without), Err("proof_missing"));
    let list: Value = [whole.get("proof").unwrap().clone()].into_iter().collect();
    assert_eq!(
        verify(whole.with("proof", list)),
        Err("json_field_kind_invalid")
    );
}

#[test]
fn key_that_is_elsewhere_makes_the_same_proof() {
    let unsigned = Unsigned::new(credential(), proven().options().clone());
    assert_eq!(hex(&unsigned.to_bytes()), HASH_DATA);
    let signature = Signature::from_multibase(PROOF_VALUE).unwrap();
    let public = key().public_key();
    let signed = unsigned.clone().signed_with(signature, &public).unwrap();
    assert_eq!(signed, proven());
    let other = SigningKey::from_seed(&[7; 32]);
    let foreign = other.sign(&unsigned.to_bytes());
    let refused = unsigned.signed_with(foreign, &public).unwrap_err();
    assert_eq!(refused.reason_code(), "signature_invalid");
}
