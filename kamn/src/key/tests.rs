//! Figures of RFC 8032 7.1, Wycheproof, ed25519-speccheck and the did:key test vectors.

use alloc::{format, string::ToString, vec::Vec};
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn seed(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

/// Whether `signature` by `key` over `message`, all in hex, is taken.
fn is_taken(key: &str, message: &str, signature: &str) -> bool {
    PublicKey::from_bytes(&hex(key)).is_ok_and(|key| {
        let signature = Signature::from_bytes(&hex(signature)).unwrap();
        key.verify(&hex(message), &signature).is_ok()
    })
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (secret, public, message, signature) in cases {
        let key = SigningKey::from_seed(&seed(secret));
        assert_eq!(key.public_key().to_bytes().to_vec(), hex(public));
        assert_eq!(key.sign(&hex(message)).to_bytes().to_vec(), hex(signature));
        assert!(is_taken(public, message, signature));
        assert!(!is_taken(public, &format!("{message}00"), signature));
    }
}

#[test]
fn honest_signatures_of_other_implementations_are_taken() {
    // Wycheproof, and a key with a component of small order that strict verification lets through.
    assert!(is_taken(
        "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa",
        "54657374",
        "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab07a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d",
    ));
    assert!(is_taken(
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
    ));
}

#[test]
fn signatures_implementations_disagree_about_are_refused() {
    let cases = [
        (
            "small order key and commitment",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
        ),
        (
            "small order key",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        ),
        (
            "small order commitment",
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
            "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        ),
        (
            "holds only times the cofactor",
            "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
            "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        ),
        (
            "s not below the group's order",
            "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
            "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        ),
        (
            "commitment not canonical",
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
            "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
        ),
        (
            "key not canonical",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
            "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        ),
    ];
    for (why, key, message, signature) in cases {
        assert!(!is_taken(key, message, signature), "{why}");
    }
}

#[test]
fn bytes_that_are_no_key_say_why() {
    let why = |bytes: &[u8]| PublicKey::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(why(&[0; 31]), "Ed25519 public key: 31 bytes, 32 expected");
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    assert!(why(&off_curve).ends_with("not on the curve"));
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(why(&identity).ends_with("of small order"));
    // y = p + 3: on the curve, and another text for y = 3.
    let mut high = [0xff; 32];
    (high[0], high[31]) = (0xf0, 0x7f);
    assert!(why(&high).ends_with("not the canonical encoding of its point"));
    let zero = AgreementKey::from_bytes(&[0; 32]).unwrap_err();
    assert_eq!(zero.reason_code(), "public_key_invalid");
}

#[test]
fn secret_shows_nothing_and_cannot_be_copied() {
    trait NotClone<A> {
        fn not_clone() {}
    }
    struct Both;
    impl<T> NotClone<()> for T {}
    impl<T: Clone> NotClone<Both> for T {}
    // Ambiguous, and so no longer compiled, should the type ever become `Clone`.
    <SigningKey as NotClone<_>>::not_clone();

    let bytes = [0x5a; 32];
    let shown = format!("{:?}", SigningKey::from_seed(&bytes));
    assert!(shown.starts_with("SigningKey(secret of PublicKey(z6Mk"));
    assert!(!shown.contains("5a5a") && !shown.contains("90, 90"));
}

#[test]
fn agreement_key_follows_from_the_identity_key() {
    let cases = [
        ("00", "z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW"),
        ("01", "z6LSrHyXiPBhUbvPUtyUCdf32sniiMGPTAesgHrtEa4FePtr"),
        ("04", "z6LSrGb3qm4xMCEBjvwkLb2WEcXfTM94Tu1RyGCbT5wbg8i9"),
    ];
    for (last, expected) in cases {
        let secret = format!("{}{last}", "00".repeat(31));
        let key = SigningKey::from_seed(&seed(&secret)).public_key();
        assert_eq!(key.to_agreement().to_multikey(), expected);
        let read = AgreementKey::from_multikey(expected).unwrap();
        assert_eq!(read, key.to_agreement());
    }
}

proptest! {
    // Unoptimised curves are slow; each case checks a property of all.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn printed_keys_read_back(bytes: [u8; 32]) {
        let key = SigningKey::from_seed(&bytes).public_key();
        prop_assert_eq!(PublicKey::from_multikey(&key.to_multikey()), Ok(key));
        let agreement = key.to_agreement();
        prop_assert_eq!(AgreementKey::from_multikey(&agreement.to_multikey()), Ok(agreement));
        prop_assert!(PublicKey::from_multikey(&agreement.to_multikey()).is_err());
    }

    #[test]
    fn any_changed_bit_breaks_a_signature(bytes: [u8; 32], message: Vec<u8>, bit in 0_usize..512) {
        let key = SigningKey::from_seed(&bytes);
        let mut signature = key.sign(&message).to_bytes();
        let public = key.public_key();
        prop_assert!(public.verify(&message, &Signature(signature)).is_ok());
        signature[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(public.verify(&message, &Signature(signature)), Err(Error::Signature));
    }
}
