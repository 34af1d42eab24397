//! The environment's way to the program: through its standard input, ahead of what it reads.
//!
//! Invariant: no value of it stands in what the engine is told, so it is in no description of the
//! container, no file of the engine, no log and no command line. The program is started only once
//! all of it has arrived.

use std::{ffi::OsString, io};

/// What the container's first program runs: it reads variables up to the line that is its name and
/// becomes the program. `read` takes a byte at a time, so it leaves what comes after.
const SCRIPT: &str = r#"t=
while IFS= read -r l && [ "$l" != "$0" ]; do t="$t$l
"; done
[ "$l" = "$0" ] || exit 125
set -- "$t" "$@"
unset t l PWD OLDPWD SHLVL HOME HOSTNAME"#;

/// What the engine is told, and what is then written to the program's standard input.
#[derive(Debug)]
pub(crate) struct Wrapped {
    /// The program and its arguments, with the script before them.
    pub(crate) command: Vec<String>,
    /// The variables: secret.
    pub(crate) preface: Vec<u8>,
}

/// Wraps `program`, so that it runs with `environment` alone, but for the image's `PATH`.
///
/// `mark` ends the variables: nothing that a variable holds may contain it.
pub(crate) fn wrap(
    program: &[OsString],
    environment: &[(OsString, OsString)],
    of_image: &[String],
    mark: &str,
) -> io::Result<Wrapped> {
    let mut script = SCRIPT.to_owned();
    for name in of_image.iter().filter(|name| *name != "PATH") {
        if is_name(name.as_bytes()) {
            script.push(' ');
            script.push_str(name);
        }
    }
    script.push_str("\neval \"$1\"\nshift\nexec \"$@\"");
    let mut command = vec!["/bin/sh".into(), "-c".into(), script, mark.to_owned()];
    for word in program {
        let word = word
            .to_str()
            .ok_or_else(|| invalid(format!("{} is not Unicode", word.display())))?;
        command.push(word.to_owned());
    }

    let mut preface = Vec::new();
    for (name, value) in environment {
        let bytes = name.as_encoded_bytes();
        if !is_name(bytes) || value.as_encoded_bytes().contains(&0) {
            let name = name.display();
            return Err(invalid(format!("no shell can set the variable {name}")));
        }
        // A shell may have variables that cannot be set, as `UID`: those stay as they are.
        preface.extend(b"command export ");
        preface.extend(bytes);
        preface.push(b'=');
        quote(value.as_encoded_bytes(), &mut preface);
        preface.push(b'\n');
    }
    preface.extend(mark.as_bytes());
    preface.push(b'\n');
    Ok(Wrapped { command, preface })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// A name that a shell takes (POSIX.1-2024, XBD 3.216).
fn is_name(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(is_letter)
        && name
            .iter()
            .all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

/// Within single quotes everything stands for itself but the single quote.
fn quote(value: &[u8], to: &mut Vec<u8>) {
    to.push(b'\'');
    for byte in value {
        match byte {
            b'\'' => to.extend(br"'\''"),
            other => to.push(*other),
        }
    }
    to.push(b'\'');
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use super::*;

    const MARK: &str = "sandbox-0123456789abcdef";

    /// What the program prints that is wrapped with `environment` and then given `input`.
    #[cfg(unix)]
    fn run(program: &[&str], environment: &[(&str, &str)], input: &[u8]) -> (i32, String) {
        let program: Vec<OsString> = program.iter().map(Into::into).collect();
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let of_image = ["PATH".to_owned(), "OF_IMAGE".to_owned()];
        let wrapped = wrap(&program, &environment, &of_image, MARK).unwrap();
        let mut child = Command::new(&wrapped.command[0])
            .args(&wrapped.command[1..])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("OF_IMAGE", "x")
            .env("HOSTNAME", "x")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&wrapped.preface).unwrap();
        stdin.write_all(input).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    #[cfg(unix)]
    #[test]
    fn variables_arrive_whatever_they_hold() {
        let value = "it's $HOME `id` \\ \"\n\tEND\nsandbox\n";
        let (_, said) = run(
            &["printenv", "A"],
            &[("A", value), ("t", "1"), ("l", "2")],
            b"",
        );
        assert_eq!(said, format!("{value}\n"));
        let (_, said) = run(&["printenv", "t", "l"], &[("t", "1"), ("l", "2")], b"");
        assert_eq!(said, "1\n2\n");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_else_is_in_the_environment() {
        let (_, said) = run(&["env"], &[("A", "b")], b"");
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        assert_eq!(said, ["A=b", "PATH=/usr/bin:/bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_program_reads_what_follows_and_all_of_it() {
        let input = b"one\ntwo\0three".repeat(10_000);
        let (_, said) = run(&["sha256sum"], &[("A", "b")], &input);
        let mut alone = Command::new("sha256sum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        alone.stdin.take().unwrap().write_all(&input).unwrap();
        let expected = alone.wait_with_output().unwrap().stdout;
        assert_eq!(said.as_bytes(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_whose_variables_do_not_arrive_is_not_run() {
        let wrapped = wrap(&["echo".into(), "ran".into()], &[], &[], MARK).unwrap();
        let output = Command::new(&wrapped.command[0])
            .args(&wrapped.command[1..])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert!(output.stdout.is_empty());
    }

    #[test]
    fn a_name_that_no_shell_takes_is_refused() {
        for name in ["", "1A", "A-B", "BASH_FUNC_f%%", "A B", "A;id"] {
            let environment = [(name.into(), "x".into())];
            let error = wrap(&["true".into()], &environment, &[], MARK).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        let environment = [("A".into(), "x\0y".into())];
        wrap(&["true".into()], &environment, &[], MARK).unwrap_err();
    }

    #[test]
    fn no_value_is_in_what_the_engine_is_told() {
        let environment = [("TOKEN".into(), "secret-value".into())];
        let wrapped = wrap(&["true".into()], &environment, &[], MARK).unwrap();
        assert!(!wrapped.command.concat().contains("secret-value"));
    }
}
