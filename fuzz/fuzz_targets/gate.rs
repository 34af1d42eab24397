//! The gate: what passed it passes it again unchanged, under every preset and from every source.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tau_core::{
    policy::{Policy, Preset, screen::Screen},
    safety::{Gate, Source, Untrusted, injection, redact, secrets},
};

/// Each preset, and one that redacts everything.
static GATES: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut redacting = Policy::default();
    redacting.screen.prompt = Some(Screen::Redact);
    redacting.screen.content = Some(Screen::Redact);
    redacting.screen.secrets = Some(Screen::Redact);
    let presets = Preset::ALL.into_iter().map(Policy::preset);
    presets
        .chain([redacting])
        .map(|policy| Gate::new(&policy))
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest).into_owned();
    let gate = &GATES[usize::from(choice & 7) % GATES.len()];
    let source = match choice >> 3 & 3 {
        0 => Source::User,
        1 => Source::Memory,
        2 => Source::Model,
        _ => Source::Tool {
            name: "http".into(),
        },
    };
    let pass = |text: String| {
        gate.vet(Untrusted::new(text, source.clone()))
            .0
            .into_inner()
    };
    let once = pass(text.clone());
    let twice = pass(once.clone());
    assert_eq!(once, twice, "{source:?} of {text:?}");

    // Any findings at all can be taken out, in any text.
    let mut found = injection::scan(&text);
    found.extend(secrets::scan(&text));
    found.sort_by_key(|finding| finding.start);
    let redacted = redact(&text, &found);
    assert!(found.is_empty() == (redacted == text) || redacted.contains("[redacted: "));
});
