//! Ending an agent and bringing it back, without its own keys.

use alloc::{vec, vec::Vec};

use super::*;

#[test]
fn deactivated_agent_comes_back_by_its_approvers_alone() {
    let mut log = deactivated();
    let state = log.state().unwrap();
    assert_eq!(
        (state.current_signing(), state.current_agreement()),
        (None, None)
    );
    for change in [rotation(2), new_identity(1, None), Change::Deactivate] {
        assert_eq!(add(&mut log, 2, change, 0), Err("kel_deactivated"));
    }
    let event = log.next(at(2), recovery(5, 1));
    let yes = |number| Approval::new(&event, &approver(number));
    let signed = event.clone().signed_by(&tree().identity(5));
    let code = |event| {
        let mut log = log.clone();
        let before = log.clone();
        let done = log.append(event).map_err(|error| error.reason_code());
        assert!(done.is_ok() || log == before);
        done
    };
    assert_eq!(code(signed.clone()), Err("kel_quorum_shortfall"));
    let one = signed.clone().with_approval(yes(1));
    assert_eq!(code(one.clone()), Err("kel_quorum_shortfall"));
    assert_eq!(
        code(one.clone().with_approval(yes(1))),
        Err("kel_approver_duplicate")
    );
    assert_eq!(
        code(one.clone().with_approval(yes(4))),
        Err("kel_approver_unknown")
    );
    let of_another = Approval::new(&log.next(at(3), recovery(5, 1)), &approver(2));
    assert_eq!(
        code(one.clone().with_approval(of_another)),
        Err("kel_signature_invalid")
    );
    let nobody_has_it = event.clone().signed_by(&tree().identity(6));
    let nobody_has_it = nobody_has_it.with_approval(yes(1)).with_approval(yes(2));
    assert_eq!(code(nobody_has_it), Err("kel_signature_invalid"));
    assert_eq!(code(one.clone().with_approval(yes(3))), Ok(()));

    log.append(one.with_approval(yes(2))).unwrap();
    assert_eq!(log.state().unwrap().current_signing(), None);
    add(&mut log, 3, rotation(2), 5).unwrap();
    let (id, _) = log.state().unwrap().current_signing().unwrap();
    assert_eq!(id, "keys-2");
    assert_eq!(
        add(&mut log, 4, recovery(6, 2), 6),
        Err("kel_not_deactivated")
    );
}

#[test]
fn recovery_takes_a_fresh_key_and_a_fresh_number() {
    let approved = |log: &KeyLog, hours, identity, nonce| {
        let event = log.next(at(hours), recovery(identity, nonce));
        let signed = event.clone().signed_by(&tree().identity(identity));
        signed
            .with_approval(Approval::new(&event, &approver(1)))
            .with_approval(Approval::new(&event, &approver(2)))
    };
    let mut log = deactivated();
    let code = |log: &mut KeyLog, event| {
        let done = log.append(event);
        done.map_err(|error| error.reason_code())
    };
    let old_key = approved(&log, 2, 0, 1);
    assert_eq!(code(&mut log, old_key), Err("kel_key_reused"));
    let zero = approved(&log, 2, 5, 0);
    assert_eq!(code(&mut log, zero), Err("kel_nonce_replay"));
    let first = approved(&log, 2, 5, 7);
    assert_eq!(code(&mut log, first), Ok(()));
    // Approvers can also end it, without any key of the agent.
    let end = log.next(at(3), Change::Deactivate);
    let yes = |number| Approval::new(&end, &approver(number));
    let too_few = end.clone().unsigned().with_approval(yes(3));
    assert_eq!(code(&mut log, too_few.clone()), Err("kel_quorum_shortfall"));
    assert_eq!(code(&mut log, too_few.with_approval(yes(1))), Ok(()));
    let replayed = approved(&log, 4, 6, 7);
    assert_eq!(code(&mut log, replayed), Err("kel_nonce_replay"));
    let second = approved(&log, 4, 6, 8);
    assert_eq!(code(&mut log, second), Ok(()));
}

#[test]
fn approvers_are_asked_one_after_the_other() {
    let mut log = deactivated();
    assert_eq!(log.standing(None), Standing::Revoked);
    let open = |log: &KeyLog, change| {
        let proposal = Proposal::open(log, log.next(at(2), change));
        proposal.map_err(|error| error.reason_code())
    };
    assert_eq!(open(&log, rotation(2)), Err("kel_proof_surplus"));
    assert_eq!(open(&log, Change::Deactivate), Err("kel_deactivated"));
    assert_eq!(open(&log, recovery(0, 1)), Err("kel_key_reused"));
    assert_eq!(open(&log, recovery(5, 0)), Err("kel_nonce_replay"));
    let mut proposal = open(&log, recovery(5, 1)).unwrap();
    assert_eq!(log.standing(Some(&proposal)), Standing::RecoveryPending);
    let event = proposal.event().clone();
    let mut approve = |approval| {
        let done = proposal.approve(approval);
        done.map_err(|error| error.reason_code())
    };
    let yes = |number| Approval::new(&event, &approver(number));
    assert_eq!(approve(yes(4)), Err("kel_approver_unknown"));
    assert_eq!(approve(yes(1)), Ok(()));
    assert_eq!(approve(yes(1)), Err("kel_approver_duplicate"));
    let mut forged = yes(2);
    forged.sig = yes(1).sig;
    assert_eq!(approve(forged), Err("kel_signature_invalid"));
    assert_eq!(proposal.quorum(), (1, 2));
    let early = proposal.clone().close(Some(&tree().identity(5)));
    assert_eq!(early.unwrap_err().reason_code(), "kel_quorum_shortfall");
    proposal.approve(yes(3)).unwrap();
    let other_key = proposal.clone().close(Some(&tree().identity(6))).unwrap();
    assert!(log.append(other_key).is_err());
    log.append(proposal.clone().close(Some(&tree().identity(5))).unwrap())
        .unwrap();
    assert_eq!(log.standing(Some(&proposal)), Standing::Active);
    assert_eq!(open(&log, recovery(6, 2)), Err("kel_not_deactivated"));

    let mut end = open(&log, Change::Deactivate).unwrap();
    let event = end.event().clone();
    for number in [2, 3] {
        end.approve(Approval::new(&event, &approver(number)))
            .unwrap();
    }
    let rival = log.next(at(2), rotation(2)).signed_by(&tree().identity(5));
    log.append(end.close(None).unwrap()).unwrap();
    assert_eq!(log.standing(None), Standing::Revoked);
    assert!(log.observe(rival).is_err());
    assert_eq!(log.standing(None), Standing::Compromised);
}

#[test]
fn agent_without_approvers_never_comes_back() {
    let event = inception_event(None, None);
    let mut log = KeyLog::begin(event.signed_by(&tree().identity(0))).unwrap();
    let unsigned = log.next(at(1), Change::Deactivate).unsigned();
    let error = log.append(unsigned).unwrap_err();
    assert_eq!(error.reason_code(), "kel_signature_invalid");
    add(&mut log, 1, Change::Deactivate, 0).unwrap();
    assert_eq!(
        add(&mut log, 2, recovery(5, 1), 5),
        Err("kel_recovery_absent")
    );
    let keys: Vec<_> = (1..=3).map(|n| approver(n).public_key()).collect();
    assert!(Recovery::new(0, keys.clone()).is_err());
    assert!(Recovery::new(4, keys.clone()).is_err());
    assert!(Recovery::new(1, vec![]).is_err());
    assert!(Recovery::new(1, vec![keys[0], keys[0]]).is_err());
    assert!(Recovery::new(3, keys).is_ok());
}
