//! `tau net`: where requests of tools may go, and the HTTP tool itself.

mod check;
mod fetch;

use tau_core::{
    egress::{HostRule, Rules},
    policy::Policy,
};

use super::block_on;
use crate::{
    cli::PolicyFlags,
    config,
    exit::{Error, Exit},
    home::Home,
    sessions,
    ui::Ui,
};

/// Check addresses against the policy, and fetch one as the agent would.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Args),
    Fetch(fetch::Args),
}

/// What is reached beyond what the profile says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Reach {
    /// Reach addresses without encryption.
    #[arg(long)]
    pub(super) allow_http: bool,
    /// Reach private networks. Metadata of a cloud is never reached.
    #[arg(long)]
    pub(super) allow_private: bool,
    /// Reach this origin whatever else is refused, or this host and no other; may be repeated.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) allow: Vec<HostRule>,
    /// permissive, balanced, strict or hardened.
    #[arg(long, value_name = "PRESET")]
    pub(super) policy: Option<tau_core::policy::Preset>,
}

impl Reach {
    /// The policy in force with these.
    pub(super) fn policy(self, home: &Home) -> Result<Policy, Error> {
        let profile = config::load(&home.config_file())?;
        let flags = PolicyFlags {
            policy: self.policy,
            ..PolicyFlags::default()
        };
        let mut policy = sessions::policy(&flags, &profile);
        let http = &mut policy.http;
        http.allow_http = Some(self.allow_http || http.allow_http.unwrap_or_default());
        http.allow_private = Some(self.allow_private || http.allow_private.unwrap_or_default());
        http.allow.extend(self.allow);
        Ok(policy)
    }

    fn rules(self, home: &Home) -> Result<Rules, Error> {
        Ok(self.policy(home)?.http.rules())
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::Check(args) => block_on(check::run(args, home, ui))?,
        Command::Fetch(args) => block_on(fetch::run(args, home, ui))?,
    }
}
