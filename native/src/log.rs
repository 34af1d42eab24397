//! What happens inside, on stderr, when `TAU_LOG` asks for it. Never holds keys or message texts.

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
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false);
        // Fails only when logging was started before.
        let _ = tracing_subscriber::registry()
            .with(targets)
            .with(lines)
            .try_init();
    }
}
