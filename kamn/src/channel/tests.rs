use alloc::{format, string::ToString, vec::Vec};

use proptest::prelude::*;

use super::*;

fn did(name: &str) -> AgentDid {
    format!("kamn:did:agent:{name}").parse().unwrap()
}

fn dids(names: &[&str]) -> BTreeSet<AgentDid> {
    names.iter().map(|name| did(name)).collect()
}

fn group() -> Channel {
    Channel::new("g", Kind::Group, &did("a"), dids(&["b", "c"])).unwrap()
}

fn code<T: core::fmt::Debug>(result: Result<T, ChannelError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn each_kind_has_its_members_and_its_subject() {
    let made = |kind, names: &[&str]| Channel::new("c", kind, &did("a"), dids(names)).map(|_| ());
    let about = |text: &str| text.to_string();
    assert_eq!(made(Kind::Direct, &["b"]), Ok(()));
    assert_eq!(
        code(made(Kind::Direct, &[])),
        "channel_members_insufficient"
    );
    assert_eq!(code(made(Kind::Direct, &["b", "c"])), "channel_invalid");
    assert_eq!(made(Kind::Group, &[]), Ok(()));
    let task = |text| Kind::Task {
        task_id: about(text),
    };
    assert_eq!(made(task("t"), &["b"]), Ok(()));
    assert_eq!(code(made(task("t"), &[])), "channel_members_insufficient");
    assert_eq!(code(made(task(" "), &["b"])), "channel_invalid");
    let market = |text| Kind::Marketplace {
        market_scope: about(text),
    };
    assert_eq!(made(market("m"), &["b"]), Ok(()));
    assert_eq!(code(made(market("m"), &[])), "channel_members_insufficient");
    let vote = |text| Kind::Governance {
        proposal_scope: about(text),
    };
    assert_eq!(made(vote("p"), &["b", "c"]), Ok(()));
    assert_eq!(
        code(made(vote("p"), &["b"])),
        "channel_members_insufficient"
    );
    let topic = Kind::Broadcast {
        topic: about("news"),
    };
    assert_eq!(made(topic, &[]), Ok(()));
    assert_eq!(
        code(Channel::new(" ", Kind::Group, &did("a"), dids(&[]))),
        "channel_invalid"
    );
}

#[test]
fn kinds_begin_with_their_permissions() {
    let permitted = |kind, actor: &str, action| {
        let channel = Channel::new("c", kind, &did("a"), dids(&["b", "c"])).unwrap();
        channel.authorize(&did(actor), action).is_ok()
    };
    let news = || Kind::Broadcast {
        topic: "news".into(),
    };
    let market = || Kind::Marketplace {
        market_scope: "m".into(),
    };
    for (kind, actor, action, expected) in [
        (Kind::Group, "b", Action::Send, true),
        (Kind::Group, "z", Action::Read, false),
        (Kind::Group, "b", Action::Invite, false),
        (Kind::Group, "a", Action::Configure, true),
        (news(), "b", Action::Send, false),
        (news(), "a", Action::Send, true),
        (news(), "b", Action::Read, true),
        (market(), "z", Action::Read, true),
        (market(), "z", Action::Send, false),
    ] {
        assert_eq!(
            permitted(kind.clone(), actor, action),
            expected,
            "{kind:?} {actor} {action:?}"
        );
    }
}

#[test]
fn refusal_names_actor_action_and_rule() {
    let refused = group().invite(&did("b"), &did("d")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "kamn:did:agent:b may not invite here: admins only"
    );
    assert_eq!(refused.reason_code(), "channel_unauthorized");
}

#[test]
fn members_and_admins_come_and_go_and_the_last_admin_stays() {
    let (a, b, d) = (did("a"), did("b"), did("d"));
    let group = group();
    assert_eq!(code(group.invite(&a, &b)), "channel_member_invalid");
    assert_eq!(code(group.remove(&a, &d)), "channel_member_invalid");
    assert_eq!(code(group.add_admin(&a, &d)), "channel_member_invalid");
    assert_eq!(code(group.add_admin(&a, &a)), "channel_member_invalid");
    assert_eq!(code(group.remove_admin(&a, &b)), "channel_member_invalid");
    assert_eq!(code(group.remove_admin(&a, &a)), "channel_invalid");
    assert_eq!(code(group.remove(&a, &a)), "channel_invalid");
    let two = group.invite(&a, &d).unwrap().add_admin(&a, &d).unwrap();
    let left = two.remove(&d, &a).unwrap();
    assert_eq!(left.admins(), &dids(&["d"]));
    assert_eq!(left.members(), &dids(&["b", "c", "d"]));
}

#[test]
fn direct_channel_keeps_its_two() {
    let direct = Channel::new("d", Kind::Direct, &did("a"), dids(&["b"])).unwrap();
    assert_eq!(direct.admins(), &dids(&["a", "b"]));
    let (a, b, c) = (did("a"), did("b"), did("c"));
    assert_eq!(code(direct.invite(&a, &c)), "channel_invalid");
    assert_eq!(code(direct.remove(&a, &b)), "channel_invalid");
    assert_eq!(code(direct.remove_admin(&a, &b)), "channel_invalid");
    assert_eq!(direct.kind().name(), "Direct");
}

#[test]
fn governance_never_falls_below_three() {
    let kind = Kind::Governance {
        proposal_scope: "p".into(),
    };
    let channel = Channel::new("v", kind, &did("a"), dids(&["b", "c"])).unwrap();
    let refused = channel.remove(&did("a"), &did("c"));
    assert_eq!(code(refused), "channel_members_insufficient");
}

#[test]
fn configuration_is_checked_as_a_whole() {
    let group = group();
    let open = Permissions {
        send: Rule::Allowlist(dids(&["z"])),
        ..group.permissions().clone()
    };
    let changed = group
        .configure(&did("a"), open.clone(), Retention::MaxMessageCount(2))
        .unwrap();
    assert!(changed.authorize(&did("z"), Action::Send).is_ok());
    assert!(changed.authorize(&did("a"), Action::Send).is_err());
    assert_ne!(changed.permissions().digest(), group.permissions().digest());
    let nobody = Permissions {
        read: Rule::Allowlist(dids(&[])),
        ..open.clone()
    };
    let refused = group.configure(&did("a"), nobody, Retention::Forever);
    assert_eq!(code(refused), "channel_invalid");
    let refused = group.configure(&did("a"), open.clone(), Retention::MaxMessageCount(0));
    assert_eq!(code(refused), "channel_invalid");
    let refused = group.configure(&did("b"), open, Retention::Forever);
    assert_eq!(code(refused), "channel_unauthorized");
}

#[test]
fn listings_are_for_members_of_a_market() {
    let kind = Kind::Marketplace {
        market_scope: "m".into(),
    };
    let market = Channel::new("m", kind, &did("a"), dids(&["b"])).unwrap();
    assert_eq!(market.check_listing(&did("b")), Ok(()));
    assert_eq!(
        code(market.check_listing(&did("z"))),
        "channel_member_invalid"
    );
    assert_eq!(code(group().check_listing(&did("b"))), "channel_invalid");
}

#[test]
fn old_messages_go_in_order_of_creation_and_id() {
    let messages: Vec<(u64, String)> = [(3000, "c"), (1000, "b"), (1000, "a"), (2000, "d")]
        .map(|(at, id)| (at, id.to_string()))
        .into();
    let pruned = |retention: Retention| retention.to_prune(&messages, 4000);
    assert!(pruned(Retention::Forever).is_empty());
    assert_eq!(pruned(Retention::MaxAgeSeconds(2)), ["a", "b"]);
    assert_eq!(pruned(Retention::MaxMessageCount(1)), ["a", "b", "d"]);
    assert!(pruned(Retention::MaxMessageCount(9)).is_empty());
}

#[test]
fn no_two_channels_have_one_fragment() {
    let named = |id| Channel::new(id, Kind::Group, &did("a"), dids(&[])).unwrap();
    assert_ne!(named("a:b").fragment(), named("a/b").fragment());
    assert!(named("a:b").fragment().starts_with("a-b-"));
}

proptest! {
    #[test]
    fn channels_keep_their_invariants_under_any_commands(steps in prop::collection::vec((0..5_usize, 0..4_usize, 0..4_usize), 0..40)) {
        let names = ["a", "b", "c", "d"].map(did);
        let mut channel = group();
        for (what, actor, other) in steps {
            let (actor, other) = (&names[actor], &names[other]);
            let next = match what {
                0 => channel.invite(actor, other),
                1 => channel.remove(actor, other),
                2 => channel.add_admin(actor, other),
                3 => channel.remove_admin(actor, other),
                _ => channel.configure(actor, channel.permissions().clone(), Retention::MaxAgeSeconds(1)),
            };
            if let Ok(next) = next {
                prop_assert!(channel.admins().contains(actor));
                channel = next;
            }
            prop_assert!(!channel.admins().is_empty());
            prop_assert!(channel.admins().is_subset(channel.members()));
        }
    }
}
