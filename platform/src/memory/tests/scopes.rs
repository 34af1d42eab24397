//! Scopes: none shows in another, and each has its limit.

use super::*;

#[test]
fn no_scope_shows_in_another_by_search_name_list_tree_or_link() {
    let home = Home::new();
    let scopes = ["user", "workspace:0a", "agent:a", "agent:a-b", "channel:a"];
    let mut ids = Vec::new();
    for scope in scopes {
        let text = format!("the secret of {scope} is tea");
        let action = Action::Remember {
            draft: draft(&text),
            scope: None,
        };
        let reply = home.ask_as(&scoped(scope), action).unwrap();
        let Answer::Remembered { kept, .. } = reply.answer else {
            panic!("{reply:?}");
        };
        ids.push(kept.entry.id);
    }
    for (scope, id) in scopes.iter().zip(&ids) {
        let access = scoped(scope);
        let own = format!("the secret of {scope} is tea");
        assert_eq!(
            home.found_as(&access, "secret tea"),
            core::slice::from_ref(&own)
        );
        for other in ids.iter().filter(|other| *other != id) {
            for ids in [vec![other.clone()], vec![other[..8].into()]] {
                let forgotten = true;
                let read = Action::Read { ids, forgotten };
                assert!(home.ask_as(&access, read).is_err(), "{scope}");
            }
            let forget = Action::Forget {
                ids: vec![other.clone()],
                purge: true,
            };
            assert!(home.ask_as(&access, forget).is_err());
            let link = Action::Update {
                id: id.clone(),
                changes: Changes {
                    links: Some(vec![other.clone()]),
                    ..Changes::default()
                },
            };
            home.ask_as(&access, link).unwrap();
            let read = Action::Read {
                ids: vec![other.clone()],
                forgotten: false,
            };
            assert!(home.ask_as(&access, read).is_err(), "a link shows nothing");
        }
        let listed = Action::List {
            narrow: Narrow::default(),
            limit: None,
            forgotten: false,
        };
        assert_eq!(texts(&home.ask_as(&access, listed).unwrap()), [own]);
    }
    for name in ["workspace", "agent:a", "../user", "agent:a/../user", ""] {
        let narrow = Narrow {
            scope: Some(name.into()),
            ..Narrow::default()
        };
        let asked = Action::Search(Search {
            query: "tea".into(),
            narrow,
            ..Search::default()
        });
        let told = home.ask(asked).unwrap_err();
        assert!(matches!(told, Failure::NoScope { .. }), "{name}: {told}");
    }
    let elsewhere = Action::Remember {
        draft: draft("x"),
        scope: Some("agent:a".parse().unwrap()),
    };
    assert!(matches!(home.ask(elsewhere), Err(Failure::NoScope { .. })));
    for name in [
        "../agent-a/x",
        "*",
        "%",
        "memory/agent-a",
        "",
        "\u{7f}",
        &"0".repeat(100),
    ] {
        let read = Action::Read {
            ids: vec![name.into()],
            forgotten: true,
        };
        assert!(
            matches!(home.ask(read), Err(Failure::Missing { .. })),
            "{name}"
        );
    }
}

#[test]
fn several_scopes_that_may_be_seen_are_ranked_together() {
    let home = Home::new();
    home.remember("tea with milk");
    let agent: Scope = "agent:a".parse().unwrap();
    let both = Access {
        read: vec![Scope::User, agent.clone()],
        ..Access::of_person()
    };
    let action = Action::Remember {
        draft: draft("tea tea tea"),
        scope: Some(agent),
    };
    home.ask_as(&both, action).unwrap();
    assert_eq!(home.found_as(&both, "tea").len(), 2);
    assert_eq!(home.found("tea"), ["tea with milk"]);
}

#[test]
fn a_full_scope_says_its_limit() {
    let home = Home::new();
    let service = Service::new(home.storage.clone(), NoEmbedder, home.sim.clock().clone());
    let home = Home {
        service: service.with_entry_limit(2),
        ..home
    };
    let id = home.remember("one");
    home.remember("two");
    home.remember("one");
    let third = || {
        home.ask(Action::Remember {
            draft: draft("three"),
            scope: None,
        })
    };
    let told = format!("{}", third().unwrap_err());
    assert!(told.contains("user holds 2 entries, at most 2"), "{told}");
    home.ask(Action::Forget {
        ids: vec![id],
        purge: false,
    })
    .unwrap();
    assert!(third().is_ok());
}
