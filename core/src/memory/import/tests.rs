use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::*;

fn note<'a>(path: &'a str, text: &'a str) -> Note<'a> {
    Note {
        path,
        text,
        changed: None,
    }
}

fn texts_of(text: &str) -> Vec<String> {
    let pieces = pieces(&note("garden.md", text));
    pieces.into_iter().map(|piece| piece.text).collect()
}

#[test]
fn a_short_note_is_one_piece_and_says_what_its_headings_were() {
    let text = "Intro.\n\n# Tomatoes\nWater daily.\n\n## Feeding\nOnce a week.\n";
    assert_eq!(
        texts_of(text),
        ["garden\n\nIntro.\n\nTomatoes\nWater daily.\n\nTomatoes > Feeding\nOnce a week."]
    );
    let bare = "\n# Only\n## a\n## heading\n \n# none\n#\n";
    assert_eq!(
        texts_of(bare),
        ["garden\n\nOnly\na\n\nOnly\nheading\n\nnone"]
    );
    assert!(texts_of("").is_empty());
}

#[test]
fn long_sections_are_pieces_of_their_own_under_the_headings_that_lead_to_them() {
    let long = "Water daily. ".repeat(50);
    let text = format!("# Garden\n{long}\n## Beans\n{long}\n### Dwarf\n{long}\n# Shed\n{long}");
    let heads: Vec<String> = texts_of(&text)
        .iter()
        .map(|text| text.lines().next().unwrap_or_default().to_string())
        .collect();
    let expected = [
        "garden > Garden",
        "garden > Garden > Beans",
        "garden > Garden > Beans > Dwarf",
        "garden > Shed",
    ];
    assert_eq!(heads, expected);
}

#[test]
fn lines_in_code_are_no_headings_and_underlined_ones_are() {
    let text =
        "Setup\n=====\n\n```sh\n# not a heading\nmake\n```\n\nCare\n----\n#nor this\n\na | b\n---";
    let pieces = pieces(&note("a.md", text));
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].headings, ["setup", "care"]);
    assert!(pieces[0].text.contains("# not a heading") && pieces[0].text.contains("#nor this"));
}

#[test]
fn nothing_is_lost_and_nothing_is_long_where_a_section_is_cut() {
    let words: Vec<String> = (0..3_000).map(|n| format!("w{n}")).collect();
    let lines = words.chunks(40).map(|words| words.join(" "));
    let lines: Vec<String> = lines.collect();
    for text in [
        words.join(" "),
        words.join("\n"),
        lines.join("\n\n"),
        format!("```\n{}\n```", lines.join("\n\n")),
        "ä".repeat(5_000),
    ] {
        let all = texts_of(&text);
        assert!(all.len() > 5);
        let mut joined = String::new();
        for piece in &all {
            assert!(
                piece.len() <= PIECE_BYTES + "garden\n\n".len(),
                "{}",
                piece.len()
            );
            joined += piece.strip_prefix("garden\n\n").expect("where it stood");
        }
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeezed(&joined), squeezed(&text));
    }
}

#[test]
fn the_head_of_a_note_says_what_it_is() {
    let text = "---\ntitle: \"My garden\"\ntags: [plants, '#food', \"\"]\nTAGS:\n  - beans # dwarf\n\
                updated: 2025-01-01\ncreated: 2024-02-29T12:30:00+02:00\ntype: fact\naliases:\n- Patch\n\
                nested:\n  deep: x\n---\nWater daily.\n";
    let pieces = pieces(&note("2020-01-01 garden.md", text));
    let [piece] = pieces.as_slice() else {
        panic!("{pieces:?}");
    };
    assert_eq!(piece.text, "My garden\n\nWater daily.");
    assert_eq!(piece.tags, ["plants", "food", "beans"]);
    assert_eq!(piece.kind.as_deref(), Some("fact"));
    assert_eq!(piece.at, Some(UnixMillis(1_709_202_600_000)));
    assert_eq!(piece.names, ["2020-01-01 garden", "patch", "my garden"]);
    // What is no head is text.
    for text in ["---\ntitle: x\nnever closed", "text\n---\ntitle: x\n---\n"] {
        assert!(texts_of(text)[0].contains("title: x"), "{text}");
    }
    assert_eq!(texts_of("---\ntitle: x\n---"), Vec::<String>::new());
}

#[test]
fn dates_are_read_as_written_and_no_other_is_taken() {
    let at = |text: &str| front::date(text).map(|at| at.0 / 1_000);
    for (text, seconds) in [
        ("1970-01-01", 0),
        ("2000-02-29", 951_782_400),
        ("2024-12-31T23:59:59Z", 1_735_689_599),
        ("2024-12-31 23:59", 1_735_689_540),
        ("2024-12-31T23:59:59.123-05:30", 1_735_709_399),
        ("2024-05-01 notes of the day", 1_714_521_600),
    ] {
        assert_eq!(at(text), Some(seconds), "{text}");
    }
    for text in [
        "",
        "2024",
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-04-31",
        "1969-12-31",
        "2024-05-012",
        "24-05-01",
        "2024/05/01",
        "１９７０-01-01",
    ] {
        assert_eq!(at(text), None, "{text}");
    }
    let named = pieces(&note("daily/2024-05-01.md", "x"));
    assert_eq!(named[0].at, Some(UnixMillis(1_714_521_600_000)));
    let changed = Note {
        changed: Some(UnixMillis(5)),
        ..note("x.md", "x")
    };
    assert_eq!(pieces(&changed)[0].at, Some(UnixMillis(5)));
}

#[test]
fn folders_become_namespaces_that_memory_takes() {
    for (path, expected) in [
        ("a.md", ""),
        ("projects/tau/a.md", "projects/tau"),
        ("My notes/Été/a.md", "My-notes/t"),
        (".hidden/a.md", "hidden"),
    ] {
        assert_eq!(namespace(path), expected, "{path}");
    }
    for path in ["../a.md", "./.../a.md", "日本/\u{0}/a.md"] {
        let mapped = namespace(path);
        for part in mapped.split('/') {
            assert!(!matches!(part, "" | "." | ".."), "{mapped}");
            assert!(
                part.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            );
        }
    }
    assert_ne!(namespace("日本/a.md"), namespace("中国/a.md"));
    let deep = "folder-with-a-long-name/".repeat(30) + "a.md";
    assert!(namespace(&deep).len() <= 200 && namespace(&deep).split('/').count() <= 8);
}

#[test]
fn links_lead_to_the_pieces_they_name_also_in_circles() {
    let long = "Water daily. ".repeat(50);
    let b = format!("# One\n{long}\n# Two\n{long} see [[a]]");
    let notes = [
        (
            "a.md",
            "[[b#Two|beans]] [[B]] ![[deep/C.md]] [c](deep/c.md#x) [[nobody]] [[a]] [[b",
        ),
        ("b.md", &b),
        (
            "deep/c.md",
            "---\naliases: [Sea]\n---\nup [a](../a.md) [out](../../a.md) [web](https://x.md)",
        ),
        ("d.md", "[[sea]]"),
    ];
    let all: Vec<Piece> = notes
        .iter()
        .flat_map(|(path, text)| pieces(&note(path, text)))
        .collect();
    let places: Vec<&str> = all.iter().map(|piece| piece.note.as_str()).collect();
    assert_eq!(places, ["a.md", "b.md", "b.md", "deep/c.md", "d.md"]);
    assert_eq!(
        targets(&all),
        [vec![2, 1, 3], vec![], vec![0], vec![0], vec![3]]
    );
}

#[test]
fn strange_text_is_read_in_time_that_its_length_explains() {
    let strange = [
        "[".repeat(200_000),
        "[[".repeat(100_000),
        "](".repeat(100_000),
        "#".repeat(200_000),
        "# a\n".repeat(50_000),
        "---\n".repeat(50_000),
        "```\n".repeat(50_001),
        "a\n===\n".repeat(30_000),
        "\u{0}\u{1b}[31m\r".repeat(20_000),
        "---\ntags:\n".to_string() + &"- x\n".repeat(50_000) + "---\ny",
    ];
    for text in strange {
        for piece in pieces(&note("x/y.md", &text)) {
            let long = piece.text.len();
            assert!(long < 8 * 1024, "{long} bytes of {}", &text[..8]);
            assert!(!piece.text.contains(is_control));
            assert!(piece.tags.len() <= 32);
        }
    }
}
