//! What a person types unseen, and passphrases that a script gives.
//!
//! Invariant: what is typed is on no screen, in no history and in no argument list.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

use super::holder::Subject;
use crate::{
    exit::{Error, Exit},
    ui::{self, Ui},
};

/// A passphrase for scripts.
const PASSPHRASE: &str = "TAU_PASSPHRASE";
/// The one to change to.
const NEW_PASSPHRASE: &str = "TAU_NEW_PASSPHRASE";
/// Appended: the file that holds it.
const OF_FILE: &str = "_FILE";
/// A shorter one is guessed, whatever it is derived with.
const LEAST_CHARACTERS: usize = 8;
/// A longer file is not a passphrase's.
const MOST_BYTES: u64 = 64 * 1024;

/// The passphrase that the environment gives, if it gives one.
pub(crate) fn given() -> Result<Option<Zeroizing<String>>, Error> {
    from_environment(PASSPHRASE)
}

/// The passphrase of what is sealed: from the environment, else asked for once.
pub(crate) fn passphrase(of: Subject, ui: Ui) -> Result<Zeroizing<String>, Error> {
    match given()? {
        Some(passphrase) => Ok(passphrase),
        None => typed(of, ui, &format!("passphrase of the {}: ", of.name())),
    }
}

/// The passphrase in a file that was named.
pub(crate) fn in_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    File::open(path)
        .and_then(read)
        .map_err(|error| Error::usage(format!("{} cannot be read", path.display())).cause(error))
}

/// A passphrase for what has none yet, or another one when `changing`; asked for twice.
pub(crate) fn new_passphrase(
    of: Subject,
    ui: Ui,
    changing: bool,
) -> Result<Zeroizing<String>, Error> {
    let name = if changing { NEW_PASSPHRASE } else { PASSPHRASE };
    let passphrase = match from_environment(name)? {
        Some(passphrase) => passphrase,
        None if ui::can_ask() => {
            let first = typed(of, ui, &format!("new passphrase of the {}: ", of.name()))?;
            if *typed(of, ui, "the same again: ")? != *first {
                return Err(Error::usage("the two are not the same").hint("try again"));
            }
            first
        }
        None => return Err(nobody(of, name)),
    };
    long_enough(&passphrase)?;
    Ok(passphrase)
}

/// Refuses one that is guessed too soon.
pub(crate) fn long_enough(passphrase: &str) -> Result<(), Error> {
    if passphrase.chars().count() < LEAST_CHARACTERS {
        return Err(Error::usage(format!(
            "a passphrase has at least {LEAST_CHARACTERS} characters"
        ))
        .hint("a few words are easily kept in mind and hard to guess"));
    }
    Ok(())
}

/// A credential's value: typed unseen, or all of stdin where it is no terminal.
pub(crate) fn value(ui: Ui, name: &str) -> Result<Zeroizing<String>, Error> {
    if ui::can_ask() {
        return typed(
            Subject::Credentials,
            ui,
            &format!("value of {name} (it is not shown): "),
        );
    }
    // Of its largest size at once: growing would leave copies behind.
    read(io::stdin().lock()).map_err(|error| Error::usage("stdin cannot be read").cause(error))
}

/// Text from `source`, without the line's end that editors and `echo` put there.
fn read(source: impl Read) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize + 1));
    source.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Zeroizing::new(line.to_owned()))
}

fn from_environment(name: &str) -> Result<Option<Zeroizing<String>>, Error> {
    let of_file = format!("{name}{OF_FILE}");
    if let Some(path) = std::env::var_os(&of_file).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let passphrase = File::open(&path).and_then(read).map_err(|error| {
            Error::new(
                Exit::Auth,
                format!("{of_file}: {} cannot be read", path.display()),
            )
            .cause(error)
        })?;
        return Ok(Some(passphrase));
    }
    let value = std::env::var(name).ok().map(Zeroizing::new);
    Ok(value.filter(|passphrase| !passphrase.is_empty()))
}

fn nobody(of: Subject, name: &str) -> Error {
    Error::new(
        Exit::Auth,
        format!(
            "the {} needs its passphrase and nobody is there to ask",
            of.name()
        ),
    )
    .hint(format!(
        "set {name}{OF_FILE} to a file that holds it, or {name}"
    ))
}

/// One line typed at the terminal, not shown.
fn typed(of: Subject, ui: Ui, question: &str) -> Result<Zeroizing<String>, Error> {
    if !ui::can_ask() {
        return Err(nobody(of, PASSPHRASE));
    }
    let line = hidden::line(|| ui.ask(question));
    // The line's end was not shown either.
    ui.ask("\n");
    match line {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(Error::new(Exit::Interrupted, "interrupted")),
        Err(error) => Err(Error::usage("the terminal cannot be read").cause(error)),
    }
}

#[cfg(unix)]
mod hidden {
    use rustix::{
        io::Errno,
        stdio,
        termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
    };
    use std::io;
    use zeroize::Zeroizing;

    /// Longer lines are not taken.
    const LINE_BYTES: usize = 16 * 1024;
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    const BACKSPACE: [u8; 2] = [8, 127];

    /// Puts the terminal back as it was.
    struct Quiet(Termios);

    impl Quiet {
        /// No echo and no line editing: the terminal's own editor takes 4096 bytes at most. And no
        /// signals, which would end the program with the echo off.
        fn begin() -> Result<Self, Errno> {
            let before = tcgetattr(stdio::stdin())?;
            let mut quiet = before.clone();
            quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
            tcsetattr(stdio::stdin(), OptionalActions::Flush, &quiet)?;
            Ok(Self(before))
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // Fails only when the terminal is gone.
            let _ = tcsetattr(stdio::stdin(), OptionalActions::Flush, &self.0);
        }
    }

    /// The next line after `ask`; `None` when the person gives up.
    pub(super) fn line(ask: impl FnOnce()) -> io::Result<Option<Zeroizing<String>>> {
        // First: who is quick to answer must not be seen.
        let _quiet = Quiet::begin()?;
        ask();
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
        let mut byte = Zeroizing::new([0]);
        loop {
            match rustix::io::read(stdio::stdin(), &mut *byte) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            match byte[0] {
                b'\n' | b'\r' => break,
                CTRL_C | CTRL_D => return Ok(None),
                CTRL_U => line.clear(),
                erase if BACKSPACE.contains(&erase) => {
                    // The whole character, however many bytes it has.
                    while line.pop().is_some_and(|b| b & 0xc0 == 0x80) {}
                }
                byte if line.len() < LINE_BYTES => line.push(byte),
                _ => return Err(io::Error::other("the line is too long")),
            }
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
        Ok(Some(Zeroizing::new(text.to_owned())))
    }
}

#[cfg(not(unix))]
mod hidden {
    use std::io;
    use zeroize::Zeroizing;

    /// Nothing: what is typed would be seen.
    pub(super) fn line(_ask: impl FnOnce()) -> io::Result<Option<Zeroizing<String>>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "typing unseen is not supported on this system: pipe it in, or use TAU_PASSPHRASE_FILE",
        ))
    }
}
