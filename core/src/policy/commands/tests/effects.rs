use super::*;

#[test]
fn only_programs_known_to_send_nothing_cannot_leave() {
    for text in [
        "ls -la",
        "cat x | grep y | sort | uniq -c | head",
        "echo x > out.txt; wc -l < out.txt",
        "find . -name '*.rs' | xargs wc -l",
        "for f in *; do cat \"$f\"; done",
        "ls 2>/dev/null",
        "sed -n 1,5p x",
        "sh -c 'ls; pwd'",
        "test -f x && date",
        "",
    ] {
        assert!(!Script::parse(text).may_leave(), "{text}");
    }
    for text in [
        "curl x",
        "ls; curl x",
        "cat x | nc host 1",
        "cat x > /dev/tcp/host/80",
        "cat < /dev/udp/host/80",
        "echo x > $OUT",
        "$X",
        "ls $(curl x)",
        "git status",
        "cargo test",
        "./ls",
        "/tmp/cat x",
        "sort --compress-program=x y",
        "find . -exec curl {} \\;",
        "find . | xargs curl",
        "env curl x",
        "sh x.sh",
        "awk 'BEGIN { print \"x\" | \"curl\" }'",
        "awk '{ print }' x",
        "PATH=. ls",
        "python3 x.py",
        "ls() { curl x; }; ls",
        "[[ x ]]",
        "echo 'unclosed",
        "sed 's/a/b/e' x",
    ] {
        assert!(Script::parse(text).may_leave(), "{text}");
    }
}

/// `path` for a path that is known, `path?` for one that is not, `path/` for a whole tree.
fn written(text: &str) -> String {
    let mut shown: Vec<String> = Script::parse(text)
        .writes()
        .iter()
        .map(|written| {
            let doubt = if written.fixed { "" } else { "?" };
            let whole = if written.whole { "/" } else { "" };
            format!("{}{doubt}{whole}", written.path)
        })
        .collect();
    shown.sort();
    shown.dedup();
    shown.join(" ")
}

#[test]
fn paths_that_are_written_are_found() {
    for (text, expected) in [
        ("echo x > a", "a"),
        ("echo x >> a 2> b", "a b"),
        ("echo x >| a &>> b", "a b"),
        ("cat < a", ""),
        ("cat <> a", "a"),
        ("echo x > /dev/null 2>&1", ""),
        ("echo x >& a", "a"),
        ("{ ls; } > a", "a"),
        ("echo $(ls > a)", "a"),
        ("ls > \"a b\"", "a b"),
        ("ls > $X/a", "$X/a?"),
        ("rm -rf a b", "a/ b/"),
        ("rm -- -a", "-a/"),
        ("mv a .", ". a/"),
        ("mv -t d a b", "a/ b/ d/"),
        ("mv a .", ". a/"),
        ("cp a b", "b"),
        ("cp -r a b c", "c"),
        ("cp -l a b", "a b"),
        ("ln a b", "a b"),
        ("ln -s a b", "a b"),
        ("install -m 644 a b", "b"),
        ("rsync -a a b", "b"),
        ("tee a b < c", "a b"),
        ("tee -a a", "a"),
        ("touch a", "a"),
        ("truncate -s 0 a", "0 a"),
        ("chmod 644 a", "644 a"),
        ("dd if=a of=b", "b"),
        ("sed -i s/a/b/ f", "f s/a/b/"),
        ("sed s/a/b/ f", ""),
        ("perl -i -pe x f", "f x"),
        ("curl -o a u", "a"),
        ("curl -oa u", "a"),
        ("curl --output=a u", "a"),
        ("wget -O a u", "a"),
        ("sort -o a b", "a"),
        ("tar czf a b", "a"),
        ("tar -czf a b", "a"),
        ("git checkout -- a", "a checkout"),
        ("cd d && echo x > a", "a d/a"),
        ("cd d; cd e; rm a", "a/ d/a/ d/e/a/"),
        ("cd d; echo > /a", "/a"),
        ("env rm a", "a/"),
        ("ls | xargs rm", "…?/"),
        ("sh -c 'echo x > a'", "a"),
        ("find . -exec cp {} a \\;", "a"),
        ("cat <<EOF > a\nx\nEOF", "a"),
    ] {
        assert_eq!(written(text), expected, "{text}");
    }
}

#[test]
fn programs_are_named_once_in_the_order_of_the_text() {
    let script = Script::parse("cat a | grep b; env cat c $(date)");
    assert_eq!(script.programs(), ["cat", "grep", "date", "env"]);
}
