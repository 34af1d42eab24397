//! What happens inside, on stderr, when `TAU_LOG` asks for it. Holds neither message texts nor what
//! looks like a secret, whoever logs it.

use std::io::{self, Write};
use tau_core::safety::Gate;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging if `TAU_LOG` is set: `debug`, or `tau=debug,tau_platform=trace`.
pub(crate) fn start() {
    let Ok(wanted) = std::env::var("TAU_LOG") else {
        return;
    };
    // A level alone is meant for Tau, not for every library.
    let targets = if wanted.contains('=') {
        wanted.parse()
    } else {
        format!("tau={wanted}").parse::<Targets>()
    };
    if let Ok(targets) = targets {
        let gate = Gate::default();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || Redacting {
                gate: gate.clone(),
                out: io::stderr(),
            })
            .with_ansi(false);
        // Fails only when logging was started before.
        let _ = tracing_subscriber::registry()
            .with(targets)
            .with(lines)
            .try_init();
    }
}

/// Writes lines without the secrets in them. Each event comes as one write of its whole line.
struct Redacting<W> {
    gate: Gate,
    out: W,
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.out
            .write_all(self.gate.without_secrets(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_secret_in_a_field_is_not_logged() {
        let kept = Kept::default();
        let out = kept.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || Redacting {
                gate: Gate::default(),
                out: out.clone(),
            })
            .with_ansi(false);
        let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::error!(detail = %secret, "no answer");
        });
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(written.contains("no answer"), "{written}");
        assert!(written.contains("[redacted: "), "{written}");
        assert!(!written.contains(&secret), "{written}");
    }
}
