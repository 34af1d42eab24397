//! What others hand over, honestly or not.

use super::*;

fn ledger_text(home: &Home) -> String {
    let file = now(home.trade.export_ledger(MAIN, &home.storage)).unwrap();
    file.to_value().unwrap().to_canonical()
}

fn import(home: &mut Home, text: &str) -> Result<Imported, &'static str> {
    let file = File::read(text.as_bytes()).map_err(|error| error.reason_code())?;
    let File::Ledger { logs, ledger } = file else {
        panic!("a ledger")
    };
    let learned = now(home.trade.learn(&logs, &home.storage));
    learned.map_err(|error| error.reason_code())?;
    now(home.trade.import_ledger(&ledger, &home.storage)).map_err(|error| error.reason_code())
}

#[test]
fn copy_of_anothers_ledger_follows_it_and_is_not_written_to() {
    let (mut alice, mut bob, _) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    let first = ledger_text(&alice);
    let imported = import(&mut bob, &first).unwrap();
    assert_eq!((imported.new, imported.events), (3, 3));
    assert_eq!(
        imported.ledger,
        alloc::format!("main@{}", alice.did().as_did().id())
    );
    let release = Action::Release {
        amount: Amount::new(40),
    };
    alice.command(&id, release.clone()).unwrap();
    let imported = import(&mut bob, &ledger_text(&alice)).unwrap();
    assert_eq!((imported.new, imported.events), (1, 4));
    // An older file brings nothing and takes nothing away.
    let imported = import(&mut bob, &first).unwrap();
    assert_eq!((imported.new, imported.events), (0, 4));
    bob.reopen();
    let kept = bob.trade.ledger(&imported.ledger).unwrap();
    assert_eq!(kept.ledger(), alice.trade.ledger(MAIN).unwrap().ledger());
    assert_eq!(kept.keeper(), &alice.did());

    // What bob may not ask is said to him, before alice has to.
    assert_eq!(bob.command(&id, release), Err("escrow_unauthorized"));
    let back = bob.command(&id, Action::RefundByPayee).unwrap();
    let Done::ForKeeper { keeper, command } = &back else {
        panic!("{back:?}")
    };
    assert_eq!(*keeper, alice.did());
    let file = File::Command(CommandFile {
        log: bob.signer.log().clone(),
        command: command.clone(),
    });
    let text = file.to_value().unwrap().to_canonical();
    assert_eq!(File::read(text.as_bytes()).unwrap(), file);
    assert_eq!(bob.take(back.clone()), Err("ledger_kept_by_another"));
    assert!(matches!(alice.take(back.clone()), Ok(Done::Recorded(_))));
    assert!(matches!(alice.take(back), Ok(Done::Repeated)));
    assert_eq!((alice.available(), alice.paid(&bob.did())), (960, 40));
    check_sums(&alice);
    check_sums(&bob);
}

#[test]
fn own_ledger_that_was_lost_comes_back_from_its_export() {
    let (mut alice, bob, clock) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    let text = ledger_text(&alice);
    let mut again = Home::new("alice", 0x11, &clock);
    let imported = import(&mut again, &text).unwrap();
    assert_eq!((imported.ledger.as_str(), imported.new), (MAIN, 3));
    again
        .command(
            &id,
            Action::Release {
                amount: Amount::new(100),
            },
        )
        .unwrap();
    assert_eq!(again.paid(&bob.did()), 100);
    check_sums(&again);
}

#[test]
fn files_that_were_tampered_with_change_nothing() {
    let (mut alice, mut bob, _) = pair();
    alice.reserve(&bob.did(), 100, 1);
    let text = ledger_text(&alice);
    let head = text.find("\"head\":\"").unwrap() + 8;
    let other_head = alloc::format!("{}{}{}", &text[..head], "0".repeat(64), &text[head + 64..]);
    let before = rows_of(&bob, "");
    for (changed, code) in [
        (
            text.replace("\"amount\":\"1000\"", "\"amount\":\"9000\""),
            "ledger_chain_invalid",
        ),
        (
            text.replace("\"seq\":2", "\"seq\":3"),
            "ledger_chain_invalid",
        ),
        (other_head, "ledger_chain_invalid"),
        (
            text.replace("tau:ledger:v1", "tau:ledger:v2"),
            "file_kind_invalid",
        ),
        (text.replace("\"v\":1}", "\"v\":2}"), "version_unsupported"),
        (
            text.replace("\"name\":\"main\"", "\"name\":\"../main\""),
            "ledger_name_invalid",
        ),
        (
            text.replace("\"name\":\"main\"", "\"name\":\"main\",\"name\":\"main\""),
            "json_key_duplicate",
        ),
        (
            text.replace("\"name\":\"main\"", "\"name\":\"main\",\"more\":1"),
            "json_field_unknown",
        ),
        (
            text.replace("\"at_ms\":", "\"at_ms\":9007199254740993, \"x\":"),
            "json_number_invalid",
        ),
        (text[..text.len() - 1].into(), "json_syntax_invalid"),
        ("[".repeat(100), "json_too_deep"),
        (" ".repeat(FILE_LIMIT_BYTES + 1), "json_too_long"),
    ] {
        assert_ne!(changed, text);
        assert_eq!(
            import(&mut bob, &changed),
            Err(code),
            "{}",
            &changed[..changed.len().min(200)]
        );
    }
    assert_eq!(rows_of(&bob, ""), before, "nothing was taken");
    assert!(import(&mut bob, &text).is_ok());
}

#[test]
fn file_without_its_last_event_is_missed_by_its_head() {
    let (mut alice, mut bob, _) = pair();
    alice.reserve(&bob.did(), 100, 1);
    let File::Ledger { ledger, .. } = File::read(ledger_text(&alice).as_bytes()).unwrap() else {
        panic!("a ledger")
    };
    let mut cut = ledger.clone();
    cut.events.pop();
    let refused = now(bob.trade.import_ledger(&cut, &bob.storage));
    assert_eq!(refused.unwrap_err().reason_code(), "ledger_chain_invalid");
    assert!(rows_of(&bob, "ledger/").is_empty());
}

#[test]
fn keeper_who_shows_two_heads_is_found_out_and_the_proof_is_kept() {
    let (mut alice, mut bob, clock) = pair();
    let id = alice.reserve(&bob.did(), 100, 1);
    // The same agent in another store: its ledger goes another way from the third event on.
    let mut twin = Home::new("alice", 0x11, &clock);
    twin.learn(&bob);
    twin.deposit(1_000);
    let other = twin.reserve(&bob.did(), 7, 9);
    import(&mut bob, &ledger_text(&alice)).unwrap();
    let signed = alice.attest(completed(), &bob.did(), &id).unwrap();
    now(bob.trade.admit(signed, &bob.storage, now_of(&clock))).unwrap();
    let height = height_at(now_of(&clock));
    assert!(bob.trade.explain(&bob.did(), height).unwrap().score.score > 500);

    assert_eq!(
        import(&mut bob, &ledger_text(&twin)),
        Err("ledger_fork_detected")
    );
    bob.reopen();
    let name = alloc::format!("main@{}", alice.did().as_did().id());
    let kept = bob.trade.ledger(&name).unwrap();
    assert_eq!(kept.fork().unwrap().event().seq, 1);
    assert_eq!(
        kept.check().unwrap_err().reason_code(),
        "ledger_fork_detected"
    );
    assert_eq!(
        bob.command(&id, Action::RefundByPayee),
        Err("ledger_fork_detected")
    );
    // What rested on it counts no more.
    assert_eq!(
        bob.trade.explain(&bob.did(), height).unwrap().score.score,
        500
    );
    assert_eq!(
        bob.trade.uncounted()[0].reason_code,
        "attestation_source_unverified"
    );
    // Shown her own other head, alice's home writes no further either.
    assert_eq!(
        import(&mut alice, &ledger_text(&twin)),
        Err("ledger_fork_detected")
    );
    let release = Action::Release {
        amount: Amount::new(1),
    };
    assert_eq!(alice.command(&id, release), Err("ledger_fork_detected"));
    assert_eq!(
        twin.command(&other, Action::TimeoutRefund),
        Err("timeout_not_elapsed")
    );
}

#[test]
fn one_who_does_not_keep_a_ledger_cannot_make_two_heads_of_it() {
    let (mut alice, mut bob, clock) = pair();
    alice.reserve(&bob.did(), 100, 1);
    import(&mut bob, &ledger_text(&alice)).unwrap();
    let mut eve = Home::new("eve", 0x99, &clock);
    eve.learn(&bob);
    eve.deposit(1_000);
    eve.reserve(&bob.did(), 7, 9);
    let File::Ledger { mut ledger, logs } = File::read(ledger_text(&eve).as_bytes()).unwrap()
    else {
        panic!("a ledger")
    };
    now(bob.trade.learn(&logs, &bob.storage)).unwrap();
    ledger.keeper = alice.did();
    let refused = now(bob.trade.import_ledger(&ledger, &bob.storage));
    assert_eq!(refused.unwrap_err().reason_code(), "signature_invalid");
    let name = alloc::format!("main@{}", alice.did().as_did().id());
    assert!(bob.trade.ledger(&name).unwrap().fork().is_none());
}

#[test]
fn merged_stores_have_one_ledger_and_never_half_of_each() {
    let (mut alice, bob, clock) = pair();
    let copy = SimHost::new().storage().clone();
    now(crate::copy::merge(&alice.storage, &copy, |_| {})).unwrap();
    alice.reserve(&bob.did(), 100, 1);
    let done = now(crate::copy::merge(&alice.storage, &copy, |_| {})).unwrap();
    assert_eq!(
        (done.written, done.kept),
        (2, 0),
        "it goes on where the copy ends"
    );
    let mut twin = Home::new("alice", 0x11, &clock);
    twin.deposit(1);
    for _ in 0..6 {
        twin.deposit(2);
    }
    let before = copy.rows();
    let done = now(crate::copy::merge(&twin.storage, &copy, |_| {})).unwrap();
    assert_eq!(done.kept_names, ["ledger/main"]);
    assert_eq!(copy.rows(), before);
}
