//! Every refusal of a registry, and what it does when its anchor fails.

use super::*;
use crate::{kel::Event, keys::KeyTree, time::Timestamp};

fn tree() -> KeyTree {
    KeyTree::from_seed(&[0x11; 32])
}

fn at(hours: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_770_495_330_123 + hours * 3_600_000).unwrap()
}

fn inception(did: &str) -> SignedEvent {
    let tree = tree();
    let event = Event {
        did: did.parse().unwrap(),
        seq: 0,
        previous: None,
        created: at(0),
        change: Change::Inception {
            identity: tree.identity(0).public_key(),
            signing: tree.signing(1).public_key(),
            agreement: tree.agreement(1).public_key(),
            next_digest: None,
            recovery: None,
        },
    };
    event.signed_by(&tree.identity(0))
}

const ALICE: &str = "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9";
const MIA: &str = "kamn:did:human:mia";

fn registry() -> Registry {
    let mut registry = Registry::new();
    let log = KeyLog::begin(inception(ALICE)).unwrap();
    registry.register(log, Some(MIA.parse().unwrap())).unwrap();
    registry
}

fn rotation(registry: &Registry, number: u32, nonce: u64, actor: &str) -> Mutation {
    let log = registry.resolve(&ALICE.parse().unwrap()).unwrap();
    let change = Change::Rotate {
        signing: Some(tree().signing(number).public_key()),
        agreement: None,
    };
    Mutation {
        kind: Kind::Rotate,
        nonce,
        actor: actor.parse().unwrap(),
        event: log.next(at(1), change).signed_by(&tree().identity(0)),
    }
}

fn mutate(registry: &mut Registry, mutation: Mutation) -> Result<&'static str, &'static str> {
    let before = registry.clone();
    let done = registry.mutate(mutation, &mut Unanchored);
    assert!(done.is_ok() || *registry == before);
    done.map_err(|error| error.reason_code())
}

#[test]
fn agent_and_operator_submit_what_the_agent_signed() {
    let mut registry = registry();
    let by_agent = rotation(&registry, 2, 1, ALICE);
    assert_eq!(mutate(&mut registry, by_agent), Ok(ALLOWED));
    let by_operator = rotation(&registry, 3, 5, MIA);
    assert_eq!(mutate(&mut registry, by_operator), Ok(ALLOWED));
    assert_eq!(registry.last_nonce(&ALICE.parse().unwrap()), Some(5));
    let by_another = rotation(&registry, 4, 6, "kamn:did:human:eve");
    assert_eq!(
        mutate(&mut registry, by_another),
        Err("did_lifecycle_mutation_unauthorized_actor")
    );
    // A name is no proof: the operator cannot rotate by itself.
    let mut forged = rotation(&registry, 4, 6, MIA);
    let eve = KeyTree::from_seed(&[0x66; 32]);
    forged.event = forged.event.event().clone().signed_by(&eve.identity(0));
    assert_eq!(mutate(&mut registry, forged), Err("kel_signature_invalid"));
}

#[test]
fn mutations_have_growing_numbers_and_the_kind_they_say() {
    let mut registry = registry();
    let zero = rotation(&registry, 2, 0, ALICE);
    assert_eq!(
        mutate(&mut registry, zero),
        Err("did_lifecycle_mutation_nonce_invalid")
    );
    let first = rotation(&registry, 2, 7, ALICE);
    assert_eq!(mutate(&mut registry, first), Ok(ALLOWED));
    let again = rotation(&registry, 3, 7, ALICE);
    assert_eq!(
        mutate(&mut registry, again),
        Err("did_lifecycle_mutation_nonce_replay")
    );
    let mut mislabelled = rotation(&registry, 3, 8, ALICE);
    mislabelled.kind = Kind::Revoke;
    assert_eq!(
        mutate(&mut registry, mislabelled),
        Err("did_lifecycle_mutation_invalid_transition")
    );
    let mut end = rotation(&registry, 3, 8, ALICE);
    end.kind = Kind::Revoke;
    let log = registry.resolve(&ALICE.parse().unwrap()).unwrap();
    let event = log.next(at(2), Change::Deactivate);
    end.event = event.signed_by(&tree().identity(0));
    assert_eq!(mutate(&mut registry, end), Ok(ALLOWED));
    let late = rotation(&registry, 3, 9, ALICE);
    assert_eq!(
        mutate(&mut registry, late),
        Err("did_lifecycle_mutation_invalid_transition")
    );
    let mut unknown = rotation(&registry, 3, 9, ALICE);
    unknown.event = inception("kamn:did:agent:bob");
    assert_eq!(mutate(&mut registry, unknown), Err("did_not_registered"));
}

#[test]
fn nothing_changes_that_could_not_be_submitted() {
    struct Broken;
    impl ChainAdapter for Broken {
        fn submit(&mut self, _: &Submission) -> Result<(), SubmitFailed> {
            Err(SubmitFailed)
        }
    }
    let mut registry = registry();
    let before = registry.clone();
    let mutation = rotation(&registry, 2, 1, ALICE);
    let error = registry.mutate(mutation.clone(), &mut Broken).unwrap_err();
    assert_eq!(error.reason_code(), "did_chain_adapter_submit_failed");
    assert_eq!(registry, before);
    assert_eq!(mutate(&mut registry, mutation), Ok(ALLOWED));
}

#[test]
fn name_is_registered_only_where_the_registry_vouches_for_it() {
    let named = KeyLog::begin_unbound(inception("kamn:did:agent:alice")).unwrap();
    let error = Registry::new().register(named.clone(), None).unwrap_err();
    assert_eq!(error.reason_code(), "kel_did_unbound");
    let mut vouching = Registry::vouching_for_names();
    assert_eq!(vouching.register(named.clone(), None), Ok(()));
    let error = vouching.register(named, None).unwrap_err();
    assert_eq!(error.reason_code(), "did_already_registered");
}

#[test]
fn registries_tell_each_other_of_forks() {
    let (mut here, mut there) = (registry(), registry());
    let first = rotation(&here, 2, 1, ALICE);
    let second = rotation(&there, 3, 1, ALICE);
    mutate(&mut here, first).unwrap();
    mutate(&mut there, second).unwrap();
    let alice = ALICE.parse().unwrap();
    let error = here.merge(there.resolve(&alice).unwrap()).unwrap_err();
    assert_eq!(error.reason_code(), "kel_fork_detected");
    assert!(here.resolve(&alice).unwrap().state().is_err());
    let next = rotation(&there, 4, 2, ALICE);
    assert_eq!(mutate(&mut here, next), Err("kel_fork_detected"));
}

#[test]
fn submission_is_retried_only_while_nothing_else_is_known() {
    let registry = registry();
    let of = |number, nonce| Submission::of(&rotation(&registry, number, nonce, ALICE));
    let (first, rival, later) = (of(2, 1), of(3, 1), of(4, 2));
    assert_ne!(first.idempotency_key(), rival.idempotency_key());
    assert_ne!(first.idempotency_key(), of(2, 2).idempotency_key());
    assert_eq!(first.idempotency_key(), of(2, 1).idempotency_key());
    let mut submissions = Submissions::default();
    assert_eq!(submissions.submit(&first), RetryClass::NewSubmission);
    assert_eq!(submissions.submit(&first), RetryClass::RetryableInFlight);
    assert_eq!(submissions.submit(&rival), RetryClass::ConflictNoRetry);
    assert_eq!(submissions.finalize(&first), Finality::Finalized);
    assert_eq!(submissions.finalize(&first), Finality::Idempotent);
    assert_eq!(submissions.finalize(&rival), Finality::Conflict);
    assert_eq!(submissions.submit(&first), RetryClass::FinalizedNoRetry);
    assert_eq!(submissions.submit(&later), RetryClass::NewSubmission);
    assert_eq!(submissions.finalize(&later), Finality::Finalized);
    assert_eq!(submissions.finalize(&first), Finality::Stale);
    assert_eq!(submissions.submit(&rival), RetryClass::ConflictNoRetry);
}

#[test]
fn restored_registry_is_the_same_and_checks_every_log() {
    let mut known = registry();
    let mutation = rotation(&known, 2, 4, MIA);
    mutate(&mut known, mutation).unwrap();
    let text = known.snapshot().unwrap().to_canonical();
    let restore = |text: &str| {
        let value = crate::jcs::parse(text.as_bytes(), 1 << 20).unwrap();
        Registry::restore(value).map_err(|error| error.reason_code())
    };
    assert_eq!(restore(&text), Ok(known));
    let mut vouching = Registry::vouching_for_names();
    let named = KeyLog::begin_unbound(inception("kamn:did:agent:alice")).unwrap();
    vouching.register(named, None).unwrap();
    let names = vouching.snapshot().unwrap().to_canonical();
    assert_eq!(restore(&names), Ok(vouching));
    let cases = [
        (
            r#""v":1,"vouches"#,
            r#""v":2,"vouches"#,
            "json_field_kind_invalid",
        ),
        (
            r#""last_nonce":4"#,
            r#""last_nonce":-4"#,
            "json_field_kind_invalid",
        ),
        (
            r#""type":"rotate""#,
            r#""type":"deactivate""#,
            "json_field_unknown",
        ),
        ("30.123Z", "30.124Z", "kel_signature_invalid"),
        ("kamn:did:human:mia", "mia", "did_invalid"),
    ];
    for (from, to, code) in cases {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            restore(&text.replace(from, to)),
            Err(code),
            "{from} -> {to}"
        );
    }
    let bound = names.replace(
        r#""vouches_for_names":true"#,
        r#""vouches_for_names":false"#,
    );
    assert_eq!(restore(&bound), Err("kel_did_unbound"));
}
