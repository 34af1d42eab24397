//! Compared with an independent reader of bash, the tree-sitter grammar: each program that it sees
//! is among the calls, or the command was not understood.

use alloc::{borrow::ToOwned, collections::BTreeSet, format, string::String, vec, vec::Vec};

use proptest::prelude::*;
use tree_sitter::{Node, Parser};

use super::super::Script;

/// The plainly written names of the programs that the grammar sees in `text`; `None` when it sees
/// an error, after which its tree says little.
fn seen_by_grammar(text: &str) -> Option<BTreeSet<String>> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_bash::LANGUAGE.into())
        .unwrap();
    let tree = parser.parse(text, None).unwrap();
    if tree.root_node().has_error() {
        return None;
    }
    let mut names = BTreeSet::new();
    let mut todo = Vec::from([tree.root_node()]);
    while let Some(node) = todo.pop() {
        let name = match node.kind() {
            "command" => node.child_by_field_name("name"),
            "declaration_command" | "unset_command" | "test_command" => node.child(0),
            _ => None,
        };
        names.extend(name.and_then(|name| plain(name, text)));
        let mut cursor = node.walk();
        todo.extend(node.children(&mut cursor));
    }
    Some(names)
}

fn plain(node: Node<'_>, text: &str) -> Option<String> {
    let name = &text[node.byte_range()];
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-[".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

/// What the grammar sees and the script has not; nothing when the script is not sure.
fn missed(text: &str) -> Vec<String> {
    let script = Script::parse(text);
    let names = seen_by_grammar(text);
    if script.unknown.is_some() {
        return Vec::new();
    }
    let found: BTreeSet<&str> = script.programs().into_iter().collect();
    names
        .into_iter()
        .flatten()
        // Where a reserved word makes no sense the shell runs nothing; the grammar sees a program.
        .filter(|name| !found.contains(&**name) && !RESERVED.contains(&&**name))
        .collect()
}

const RESERVED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "for", "do", "done", "while", "until", "case", "esac",
    "in", "function", "select",
];

const CORPUS: &[&str] = &[
    "git status && git diff --stat | head -20",
    "cd sub && cargo test --all -- --nocapture 2>&1 | tail -50",
    "find . -type f -name '*.rs' -not -path './target/*' | xargs grep -n 'fn main' | sort",
    "for f in $(ls *.md); do echo \"== $f\"; head -3 \"$f\"; done",
    "while read -r line; do echo \"$line\"; done < file.txt",
    "if [ -f x ]; then cat x; elif test -d y; then ls y; else echo none >&2; fi",
    "if ! grep -q x y; then\n  echo no\nfi",
    "python3 - <<'EOF'\nimport os\nprint('$(x)')\nEOF\nls",
    "cat > a.txt <<EOF\nhello $USER $(whoami)\nEOF",
    "git commit -m \"$(cat <<'EOF'\nTitle\n\nBody with 'quotes' and `ticks`\nEOF\n)\"",
    "diff <(sort a) <(sort b)",
    "tar czf - src | ssh host 'cat > backup.tgz'",
    "a=1 b=\"$(date +%s)\" env | grep b",
    "export X=1; unset X; declare -a y",
    "f() { echo \"$1\"; local x=$(pwd); }\nf a; f b",
    "function g {\n  ls\n}\ng",
    "case \"$1\" in\n  start) run ;;\n  stop|halt) kill_it ;;\n  *) usage; exit 1 ;;\nesac",
    "(cd a && make) & wait",
    "{ echo a; echo b; } | tee out.log",
    "ls *.txt 2>/dev/null || true",
    "echo 'a;b|c&d' \"e;f\" g\\;h",
    "sleep 1 & sleep 2 & wait; echo done",
    "x=`pwd`; echo `basename \"$x\"`",
    "curl -s https://h/x | jq -r '.a[] | select(.b == \"c\")'",
    "sed -i 's/a b/c d/g; s/e/f/' x",
    "awk 'NR > 1 { print $1, $2 }' x | sort | uniq -c",
    "echo $((1 + 2)) ${x:-y} ${#x} ${x%.*} ${x##*/}",
    "! false && echo yes",
    "time make -j4",
    "printf '%s\\n' a b c | while read x; do echo \"$x\"; done",
    "until curl -sf localhost; do sleep 1; done",
    "ls -la # list\ncat x # show",
    "cmd1 |& cmd2; cmd3 &> log",
    "[ \"$a\" = b ] && [ -n \"$c\" ] || exit 1",
    "set -euo pipefail; trap 'rm x' EXIT",
    "docker run --rm -v \"$PWD:/w\" img sh -c 'ls; pwd'",
    "cat <<A; cat <<B\n1\nA\n2\nB\necho end",
    "cat <<-X | wc -l\n\ta\n\tb\n\tX\necho end",
    "for i in 1 2 3\ndo\n  for j in a b; do echo $i$j; done\ndone > out",
];

#[test]
fn commands_of_every_day_have_every_program_found() {
    let mut read = 0;
    for text in CORPUS {
        assert_eq!(missed(text), [""; 0], "{text}");
        read += usize::from(Script::parse(text).unknown.is_none());
    }
    // Else the comparison says little.
    assert!(read * 10 >= CORPUS.len() * 8, "{read} of {}", CORPUS.len());
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,6}",
        1 => "-[a-z]",
        1 => Just("'a b;c'".to_owned()),
        1 => Just("\"x $y\"".to_owned()),
        1 => Just("$x".to_owned()),
        1 => Just("*.rs".to_owned()),
        1 => Just("a\\ b".to_owned()),
        1 => Just("#x".to_owned()),
        1 => Just("${x:-y}".to_owned()),
        1 => Just("x=1".to_owned()),
        1 => Just("2".to_owned()),
        1 => Just("!".to_owned()),
        1 => Just("{".to_owned()),
        1 => Just("}".to_owned()),
        1 => Just("é".to_owned()),
    ]
}

fn simple() -> impl Strategy<Value = String> {
    ("p[a-z]{2,5}", prop::collection::vec(word(), 0..3), 0..8_u8).prop_map(
        |(program, words, redirect)| {
            let redirect = match redirect {
                0 => " > out",
                1 => " 2>&1",
                2 => " < in",
                _ => "",
            };
            format!("{program} {}{redirect}", words.join(" "))
        },
    )
}

fn command() -> impl Strategy<Value = String> {
    simple().prop_recursive(4, 40, 4, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (pair.clone(), 0..8_usize).prop_map(|((a, b), operator)| {
                let operator = [" && ", " || ", " | ", " & ", "; ", "\n", ";", " |& "][operator];
                format!("{a}{operator}{b}")
            }),
            (pair.clone(), 0..6_usize).prop_map(|((a, b), shape)| match shape {
                0 => format!("{a} $({b})"),
                1 => format!("{a} \"$({b})\""),
                2 => format!("{a} <({b})"),
                3 => format!("x=$({a}); {b}"),
                4 if !b.contains('`') => format!("{a} `{b}`"),
                // The grammar takes "E && x" for the end.
                _ => format!("{{ {a} <<E\n$({b})\nE\n}}"),
            }),
            (pair, 0..8_usize).prop_map(|((a, b), shape)| match shape {
                0 => format!("if {a}; then {b}; fi"),
                1 => format!("for i in a b; do {a}; {b}; done"),
                2 => format!("while {a}; do {b}; done"),
                3 => format!("case x in a) {a};; *) {b};; esac"),
                4 => format!("f() {{ {a}; }}; {b}"),
                5 => format!("({a}); {b}"),
                6 => format!("{{ {a}; }} | {b}"),
                _ => format!("{a} # ' ; rm\n{b}"),
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_made_at_random_have_every_program_found(text in command()) {
        prop_assert_eq!(missed(&text), [""; 0], "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let script = Script::parse(&text);
        let _ = (script.writes(), script.may_leave());
    }
}
