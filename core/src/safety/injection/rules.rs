//! What makes an attack of words: concepts that meet within a few words of each other.

use super::words::*;
use crate::safety::Severity::{self, High, Low, Medium};

/// Concepts that mean one thing when they meet.
pub(super) struct Rule {
    pub(super) family: &'static str,
    pub(super) severity: Severity,
    /// The words they must meet within.
    pub(super) within: u32,
    /// At least one concept of each group.
    pub(super) groups: &'static [Concepts],
}

const fn rule(
    family: &'static str,
    severity: Severity,
    within: u32,
    groups: &'static [Concepts],
) -> Rule {
    Rule {
        family,
        severity,
        within,
        groups,
    }
}

const OVERRIDE: &str = "instruction_override";
const EXTRACTION: &str = "prompt_extraction";
const SYSTEM_SPOOF: &str = "system_spoof";
const POISONING: &str = "tool_poisoning";
const EXFILTRATION: &str = "exfiltration";
const PERSUASION: &str = "persuasion";
const JAILBREAK: &str = "jailbreak";

/// The rules.
pub(super) const RULES: &[Rule] = &[
    rule(OVERRIDE, High, 7, &[IGNORE, PRIOR, ORDERS]),
    rule(OVERRIDE, High, 5, &[IGNORE, YOUR | ALL, LEAK_PHRASE]),
    rule(OVERRIDE, Medium, 5, &[IGNORE, ORDERS, ONLY | STOP]),
    rule(
        OVERRIDE,
        Medium,
        6,
        &[IGNORE, PRIOR, CONTENT, SHOW | INSERT | ALL],
    ),
    rule(
        OVERRIDE,
        Medium,
        12,
        &[
            OVERRIDE_PHRASE,
            INSERT | SHOW | ANSWER | URGENT,
            ANSWER | YOU | ONLY | URGENT,
        ],
    ),
    rule(OVERRIDE, Medium, 8, &[REGARDLESS, PRIOR, ORDERS | CONTENT]),
    rule(
        OVERRIDE,
        Medium,
        12,
        &[STOP, ONLY, INSERT, EXACTLY | ANSWER],
    ),
    rule(OVERRIDE, Medium, 10, &[INSERT, ANSWER, EXACTLY]),
    rule(OVERRIDE, Medium, 10, &[INSERT, ANSWER, REPEAT, YOUR]),
    rule(
        OVERRIDE,
        Medium,
        7,
        &[IGNORE_ABOVE | NEW_ORDERS, INSTEAD | NEW_ORDERS],
    ),
    rule(
        JAILBREAK,
        Medium,
        6,
        &[YOUR_LIMITS | FREED, IGNORE | DISABLE | FREED],
    ),
    rule(EXFILTRATION, Medium, 14, &[UNTOLD, SEND]),
    rule(EXTRACTION, High, 8, &[SHOW, YOUR, LEAK_PHRASE]),
    rule(EXTRACTION, High, 8, &[SHOW, EXACTLY, LEAK_PHRASE]),
    rule(
        EXTRACTION,
        Medium,
        10,
        &[SHOW, OPENING, SPEAKER | LEAK_PHRASE],
    ),
    rule(
        EXTRACTION,
        Medium,
        6,
        &[SHOW | TOLD_BEFORE, IDENTITY | TOLD_BEFORE],
    ),
    rule(
        SYSTEM_SPOOF,
        Low,
        10,
        &[CHAT_END, SHOW | INSERT | IGNORE | SYSTEM_SAYS],
    ),
    rule(
        SYSTEM_SPOOF,
        Medium,
        14,
        &[
            SYSTEM_SAYS,
            IGNORE | SHOW | INSERT | MUST,
            ANSWER | YOU | ORDERS | USER,
        ],
    ),
    rule(
        POISONING,
        High,
        24,
        &[HIDE_PHRASE, USER, PATH | SECRET | BEFORE_TOOL, SEND | READ],
    ),
    rule(
        POISONING,
        Medium,
        24,
        &[BEFORE_TOOL, READ | SEND, PATH | SECRET],
    ),
    rule(POISONING, Medium, 24, &[BEFORE_TOOL, HIDE_PHRASE, USER]),
    rule(
        EXFILTRATION,
        High,
        16,
        &[
            SEND,
            SECRET,
            LINK,
            HIDE_PHRASE | SILENTLY | IGNORE | MACHINE | OVERRIDE_PHRASE | SYSTEM_SAYS,
        ],
    ),
    rule(EXFILTRATION, Medium, 12, &[SEND, SECRET, LINK, PLACEHOLDER]),
    rule(EXFILTRATION, Low, 10, &[SEND, SECRET, LINK]),
    rule(
        EXFILTRATION,
        Medium,
        12,
        &[SEND | INSERT, TALK | LEAK_PHRASE, INTO_LINK],
    ),
    rule(
        EXFILTRATION,
        Medium,
        10,
        &[SILENTLY | HIDE_PHRASE, SEND, SECRET, USER | YOUR],
    ),
    rule(
        JAILBREAK,
        High,
        14,
        &[
            BECOME | PERSONA,
            UNBOUND | UNBOUND_PHRASE,
            LIMITS | HARM | MACHINE,
        ],
    ),
    rule(
        JAILBREAK,
        Medium,
        8,
        &[
            MODE,
            MODE_NAME,
            ENABLE,
            YOU | YOUR | MACHINE | INSERT | SHOW,
        ],
    ),
    rule(
        JAILBREAK,
        Medium,
        12,
        &[MACHINE, WITHOUT, LIMITS, BECOME | YOU],
    ),
    rule(
        JAILBREAK,
        Medium,
        14,
        &[TWO_ANSWERS, ANSWER, PERSONA | MACHINE],
    ),
    rule(
        PERSUASION,
        Medium,
        14,
        &[PRETEXT, SHOW | INSERT, ANSWER | LEAK_PHRASE | IDENTITY],
    ),
    rule(
        PERSUASION,
        Low,
        16,
        &[
            PRESSURE | PRETEXT,
            YOU | YOUR,
            SHOW | INSERT | ANSWER,
            URGENT | MUST | PRETEXT,
        ],
    ),
];
