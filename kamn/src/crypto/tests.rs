//! Figures of RFC 5869, RFC 4231, RFC 7748, the XChaCha draft, and Wycheproof.

use super::*;
use crate::{
    key::{AgreementKey, AgreementSecret},
    testing::{hex, hex32},
};

#[test]
fn derived_keys_are_those_of_rfc_5869() {
    let okm = hkdf::<42>(
        Some(&hex("000102030405060708090a0b0c")),
        &[0x0b; 22],
        &hex("f0f1f2f3f4f5f6f7f8f9"),
    );
    assert_eq!(
        okm.to_vec(),
        hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    );
    let bytes = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let okm = hkdf::<82>(
        Some(&bytes(0x60, 0xaf)),
        &bytes(0x00, 0x4f),
        &bytes(0xb0, 0xff),
    );
    assert_eq!(
        okm.to_vec(),
        hex(concat!(
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71",
            "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ))
    );
    let okm = hkdf::<42>(None, &[0x0b; 22], &[]);
    assert_eq!(
        okm.to_vec(),
        hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    );
}

#[test]
fn authentication_codes_are_those_of_rfc_4231() {
    let mut key = [0; 32];
    key[..20].fill(0x0b);
    let tag = hex32("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_eq!(hmac(&key, b"Hi There"), tag);
    assert!(hmac_fits(&key, b"Hi There", &tag));
    assert!(!hmac_fits(&key, b"Hi There", &tag[..31]));
    assert!(!hmac_fits(&key, b"Hi There.", &tag));
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    assert_eq!(
        hmac(&key, b"what do ya want for nothing?"),
        hex32("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
}

#[test]
fn shared_secrets_are_those_of_rfc_7748() {
    let alice = AgreementSecret::from_bytes(&hex32(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    ));
    let bob = AgreementSecret::from_bytes(&hex32(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ));
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(
        alice.public_key().to_bytes().to_vec(),
        hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    );
    assert_eq!(
        bob.public_key().to_bytes().to_vec(),
        hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    );
    assert_eq!(alice.agree(&bob.public_key()).unwrap().to_vec(), shared);
    assert_eq!(bob.agree(&alice.public_key()).unwrap().to_vec(), shared);
}

#[test]
fn a_thousand_rounds_of_agreement_end_where_rfc_7748_says() {
    let mut k = [0; 32];
    k[0] = 9;
    let mut u = k;
    for _ in 0..1000 {
        let next = AgreementSecret::from_bytes(&k)
            .agree(&AgreementKey::from_bytes(&u).unwrap())
            .unwrap();
        u = k;
        k = *next;
    }
    assert_eq!(
        k,
        hex32("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    );
}

#[test]
fn sealed_bytes_are_those_of_the_xchacha_draft() {
    let key = core::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce = core::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let sealed = encrypt(&key, &nonce, &aad, plaintext).unwrap();
    assert_eq!(sealed[..16], hex("bd6d179d3e83d43b9576579493c0e939"));
    assert_eq!(
        sealed[sealed.len() - TAG_BYTES..],
        hex("c0875924c1c7987947deafd8780acf49")
    );
    assert_eq!(
        decrypt(&key, &nonce, &aad, &sealed).unwrap().as_slice(),
        plaintext
    );
}

#[test]
fn authenticated_encryption_agrees_with_wycheproof() {
    use wycheproof::{TestResult, aead};
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut checked = 0;
    for group in set.test_groups {
        // Nonces of another length cannot even be written down here.
        if group.nonce_size != 192 {
            continue;
        }
        for case in group.tests {
            let key: [u8; 32] = case.key.as_slice().try_into().unwrap();
            let nonce: [u8; 24] = case.nonce.as_slice().try_into().unwrap();
            let mut sealed = case.ct.to_vec();
            sealed.extend_from_slice(&case.tag);
            let opened = decrypt(&key, &nonce, &case.aad, &sealed);
            let expected = (case.result == TestResult::Valid).then(|| case.pt.to_vec());
            assert_eq!(
                opened.map(|bytes| bytes.to_vec()),
                expected,
                "case {}",
                case.tc_id
            );
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked} cases");
}

#[test]
fn key_agreement_agrees_with_wycheproof_and_never_gives_zero() {
    use wycheproof::xdh;
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut checked, mut refused) = (0, 0);
    for group in set.test_groups {
        for case in group.tests {
            let secret: [u8; 32] = case.private_key.as_slice().try_into().unwrap();
            let expected = (case.shared_secret.iter().any(|byte| *byte != 0))
                .then(|| case.shared_secret.to_vec());
            let shared = AgreementKey::from_bytes(&case.public_key)
                .and_then(|key| AgreementSecret::from_bytes(&secret).agree(&key));
            refused += u32::from(shared.is_err());
            assert_eq!(
                shared.ok().map(|bytes| bytes.to_vec()),
                expected,
                "case {}",
                case.tc_id
            );
            checked += 1;
        }
    }
    assert!(
        checked > 400 && refused > 10,
        "{checked} cases, {refused} refused"
    );
}

#[test]
fn derivation_agrees_with_wycheproof() {
    use wycheproof::{TestResult, hkdf as corpus};
    let set = corpus::TestSet::load(corpus::TestName::HkdfSha256).unwrap();
    let mut checked = 0;
    for group in set.test_groups {
        for case in group.tests {
            let mut okm = alloc::vec![0; case.size];
            let expanded = Hkdf::<Sha256>::new(Some(&case.salt), &case.ikm)
                .expand(&case.info, &mut okm)
                .is_ok();
            let fits = expanded && okm == case.okm.to_vec();
            assert_eq!(
                fits,
                case.result == TestResult::Valid,
                "case {}",
                case.tc_id
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} cases");
}
