//! Child processes: shown before they run, and their failures named.

use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, IsTerminal},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The cargo that runs this chore, or the one on the path.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(crate::workspace::root());
    command
}

/// Runs `command` with the terminal as it is; anything but success is an error naming it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Like [`run`], but what the command prints is shown only when it fails.
pub(crate) fn run_silent(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let output = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` ended with {}: {}", output.status, said.trim());
    }
    Ok(())
}

/// Like [`run`], but the command is ended when it takes longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("`{line}` did not end within {}", elapsed(limit));
        }
        thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// What `command` writes to stdout; its stderr is passed on.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` ended with {}", output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` wrote something other than UTF-8"))
}

/// The first line `command` prints, or `None` where it cannot run. Nothing is shown.
pub(crate) fn probe(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Runs `command` with nothing to read and nothing shown, and waits for it.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let line = shown(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    Ok(())
}

/// Which stream of a child [`watch`] copies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Runs `command`, passing one of its streams on line by line and keeping it; says whether it succeeded.
pub(crate) fn watch(command: &mut Command, stream: Stream) -> Result<(bool, String)> {
    let line = shown(command);
    eprintln!("$ {line}");
    match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let source: Box<dyn io::Read> = match stream {
        Stream::Out => Box::new(child.stdout.take().context("stdout was not piped")?),
        Stream::Err => Box::new(child.stderr.take().context("stderr was not piped")?),
    };
    let mut kept = String::new();
    let mut source = BufReader::new(source);
    let mut bytes = Vec::new();
    while source.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        match stream {
            Stream::Out => print!("{text}"),
            Stream::Err => eprint!("{text}"),
        }
        kept.push_str(&text);
        bytes.clear();
    }
    Ok((child.wait()?.success(), without_escapes(&kept)))
}

/// The value for a `--color` option of a child whose stderr is copied by [`watch`].
///
/// The child sees a pipe, so it is told what the terminal would have told it (<https://no-color.org>).
pub(crate) fn color() -> &'static str {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stderr().is_terminal() && !refused {
        "always"
    } else {
        "never"
    }
}

/// A duration the way the summary prints it: `7s`, `14m03s`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{:02}s", seconds % 60),
    }
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|a| a.to_string_lossy().into_owned());
    std::iter::once(program)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// `text` without terminal escape sequences of the `ESC [ … letter` kind.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_the_summary_line() {
        assert_eq!(elapsed(Duration::from_millis(7_900)), "7s");
        assert_eq!(elapsed(Duration::from_secs(843)), "14m03s");
    }

    #[test]
    fn colours_are_removed_before_parsing() {
        assert_eq!(without_escapes("a \u{1b}[32;1mPASS\u{1b}[0m b"), "a PASS b");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut command = Command::new("sleep");
        let error = run_within(command.arg("60"), Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.to_string(), "`sleep 60` did not end within 0s");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-of-tau")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program-of-tau`");
    }
}
