//! Shell commands: read to their end whatever they hold, and decided about.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_core::policy::{
    Commands, Policy, Preset,
    commands::{Script, Verdict},
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let script = Script::parse(&text);
    let policy = Policy::default();
    for written in script.writes() {
        let _ = policy.paths.decide_written(&written);
    }
    let _ = (script.may_leave(), script.programs());
    let rules = Commands {
        allow: vec!["ls".into(), "git status".into(), "cat *".into()],
        deny: vec!["rm".into()],
        ..Commands::default()
    };
    for preset in Preset::ALL {
        let verdict = rules.decide(preset, &script);
        // What is never to run does not run, wherever it stands.
        if script.programs().contains(&"rm") {
            assert!(
                !matches!(verdict, Verdict::Allow { .. } | Verdict::Unset),
                "{text:?}"
            );
        }
    }
});
