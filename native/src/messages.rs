//! Messages of the native home: whose office it is, and how what is sent leaves.

use std::sync::Arc;
use tau_core::{policy::Policy, safety::Gate};
use tau_platform::{
    TreeSigner,
    messages::{MessageError, Office, Post},
};
use tau_target_native::{
    SystemEntropy, TokioClock,
    egress::{Egress, SystemResolver},
};

use crate::{
    credentials::{Keys, Vault},
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, of_log, of_signer},
    store::Store,
    ui::Ui,
};

/// An agent's place for messages in this home.
pub(crate) type NativeOffice<'a> = Office<'a, Store, TreeSigner, SystemEntropy>;

/// What brings packets to other agents.
pub(crate) type NativePost = Post<Egress<SystemResolver>, TokioClock>;

/// What messages need: the store, who signs, and the gate that letters go through.
pub(crate) struct Desk {
    pub(crate) storage: Store,
    pub(crate) signer: TreeSigner,
    pub(crate) gate: Gate,
    pub(crate) watch: tau_platform::messages::Desk,
}

impl Desk {
    /// The one of this home, whose agent must have an identity.
    pub(crate) async fn open(home: &Home, policy: &Policy, ui: Ui) -> Result<Self, Error> {
        let storage = home.store()?;
        let mut identity = Identity::need(home)?;
        identity.settle(&storage).await?;
        Ok(Self {
            signer: identity.need_unlocked(ui)?,
            storage,
            gate: Gate::new(policy),
            watch: tau_platform::messages::Desk::default(),
        })
    }

    /// Its office.
    pub(crate) fn office(&self) -> NativeOffice<'_> {
        Office {
            storage: &self.storage,
            signer: &self.signer,
            entropy: &SystemEntropy,
        }
    }
}

/// Brings packets to other agents, within `policy`.
pub(crate) fn post(home: &Home, policy: &Policy, ui: Ui) -> Result<NativePost, Error> {
    let vault = Vault::open(home, ui)?;
    let egress = Egress::new(SystemResolver, Arc::new(Keys(vault)));
    Ok(Post::new(egress, TokioClock, policy))
}

/// How a refused message ends the program.
pub(crate) fn of_message(error: MessageError) -> Error {
    let code = error.reason_code();
    let told = |exit| Error::new(exit, error.to_string()).cause(code);
    match error {
        MessageError::Store(error) => error.into(),
        MessageError::Log(error) => of_log(error),
        MessageError::Signer(error) => of_signer(error),
        MessageError::Damaged { .. } => told(Exit::Store),
        MessageError::Entropy(_) | MessageError::Busy => told(Exit::Internal),
        MessageError::NoAddress { .. } => told(Exit::Usage)
            .hint("say it with --to-url URL; it is remembered from then on"),
        MessageError::NoSession { .. } => {
            told(Exit::Denied).hint("`tau message send --channel` shakes hands first")
        }
        MessageError::Secret { .. } => {
            told(Exit::Denied).hint("leave it out: whoever gets a message has what it holds")
        }
        MessageError::Envelope(tau_kamn::envelope::Error::Unresolved { .. }) => {
            told(Exit::Denied).hint(
                "`tau identity import FILE` takes the log of an agent's keys; --to-url URL asks for it",
            )
        }
        _ => told(Exit::Denied),
    }
}
