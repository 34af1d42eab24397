//! Payment for a completed task: the payer offers, then confirms, and only then may the escrow release.
//!
//! Upstream compares names and then releases whatever escrow it is handed. Here the escrow itself must
//! be the one of the offer: on terms between these two, for this task.

use alloc::{collections::BTreeMap, string::String};

use thiserror::Error as ThisError;

use crate::{
    did::KamnDid,
    escrow::{Action, Amount, Escrow},
    task::{State, Task},
};

/// An offer to pay out of an escrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The task.
    pub task_id: String,
    /// The escrow that holds the amount.
    pub escrow_id: String,
    /// Who pays.
    pub payer: KamnDid,
    /// Who is paid.
    pub payee: KamnDid,
    /// How much.
    pub amount: Amount,
}

/// A confirmation of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The task.
    pub task_id: String,
    /// The escrow.
    pub escrow_id: String,
    /// Who confirms.
    pub confirmer: KamnDid,
}

/// Why a payment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum PaymentError {
    /// The task is not completed.
    #[error("the task is not completed")]
    TaskNotCompleted,
    /// Payer and payee are not who asked for the task and who did it.
    #[error("payer and payee are not requester and assignee of the task")]
    Parties,
    /// The escrow is another one, or between others.
    #[error("the escrow is not the one for this task between these two")]
    Escrow,
    /// Nothing, or more than remains.
    #[error("the amount is zero or more than remains")]
    Amount,
    /// There is an offer for the task already.
    #[error("there is an offer for the task")]
    DuplicateOffer,
    /// There is no such offer.
    #[error("there is no such offer")]
    NoOffer,
    /// It is not the payer who confirms.
    #[error("the payer alone confirms")]
    NotPayer,
    /// It was confirmed before.
    #[error("the offer was confirmed before")]
    AlreadyConfirmed,
}

impl PaymentError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::TaskNotCompleted => "payment_task_not_completed",
            Self::Parties => "payment_parties_mismatch",
            Self::Escrow => "payment_escrow_mismatch",
            Self::Amount => "payment_amount_invalid",
            Self::DuplicateOffer => "payment_offer_duplicate",
            Self::NoOffer => "payment_offer_missing",
            Self::NotPayer => "payment_confirmer_invalid",
            Self::AlreadyConfirmed => "payment_already_confirmed",
        }
    }
}

/// The offers there are, one a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payments(BTreeMap<String, (Offer, bool)>);

impl Payments {
    /// No offers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an offer, whose sender was verified to be its payer.
    pub fn offer(
        &mut self,
        offer: Offer,
        task: &Task,
        escrow: &Escrow,
    ) -> Result<(), PaymentError> {
        if task.id() != offer.task_id || task.state() != State::Completed {
            return Err(PaymentError::TaskNotCompleted);
        }
        if offer.payer != *task.requester() || offer.payee != *task.assignee() {
            return Err(PaymentError::Parties);
        }
        check_escrow(&offer, escrow)?;
        if self.0.contains_key(&offer.task_id) {
            return Err(PaymentError::DuplicateOffer);
        }
        self.0.insert(offer.task_id.clone(), (offer, false));
        Ok(())
    }

    /// Takes in a confirmation, whose sender was verified to be its confirmer: what the payer is to
    /// command the escrow.
    pub fn confirm(
        &mut self,
        confirmation: &Confirmation,
        escrow: &Escrow,
    ) -> Result<Action, PaymentError> {
        let (offer, is_confirmed) = self
            .0
            .get_mut(&confirmation.task_id)
            .filter(|(offer, _)| offer.escrow_id == confirmation.escrow_id)
            .ok_or(PaymentError::NoOffer)?;
        if offer.payer != confirmation.confirmer {
            return Err(PaymentError::NotPayer);
        }
        if *is_confirmed {
            return Err(PaymentError::AlreadyConfirmed);
        }
        // Since the offer, some may have been released.
        check_escrow(offer, escrow)?;
        *is_confirmed = true;
        Ok(Action::Release {
            amount: offer.amount,
        })
    }
}

fn check_escrow(offer: &Offer, escrow: &Escrow) -> Result<(), PaymentError> {
    let terms = escrow.terms();
    let is_the_one = escrow.id() == offer.escrow_id
        && terms.task_id == offer.task_id
        && terms.payer == offer.payer
        && terms.payee == offer.payee;
    if !is_the_one {
        return Err(PaymentError::Escrow);
    }
    let remaining = escrow
        .machine()
        .map_or(Amount::ZERO, |machine| machine.remaining());
    if offer.amount.is_zero() || offer.amount > remaining {
        return Err(PaymentError::Amount);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        escrow::{Command, Terms},
        task::Tasks,
        testing::{Known, alice, bob, carol},
        time::Timestamp,
    };

    struct Scene {
        tasks: Tasks,
        escrow: Escrow,
        offer: Offer,
    }

    fn scene() -> Scene {
        let (alice, bob) = (alice(), bob());
        let (payer, payee) = (alice.did.as_did().clone(), bob.did.as_did().clone());
        let mut tasks = Tasks::new();
        tasks
            .submit("t", payer.clone(), payee.clone(), &[])
            .unwrap();
        for state in [State::Accepted, State::InProgress, State::Completed] {
            tasks.advance("t", state, &payee).unwrap();
        }
        let escrow = Escrow::new(Terms {
            asset: "KAMN".into(),
            amount: Amount::new(100),
            payer: payer.clone(),
            payee: payee.clone(),
            arbiter: None,
            task_id: "t".into(),
            created_ms: 1,
            timeout_ms: 2,
            nonce: [0; 16],
        })
        .unwrap();
        let fund = Command {
            escrow_id: escrow.id().into(),
            seq: 1,
            action: Action::Fund,
            actor: payer.clone(),
            created: Timestamp::from_unix_ms(1).unwrap(),
        };
        let fund = fund.sign(&alice.signing).unwrap();
        let fund = fund.verify(&Known::of(&[&alice]), 1).unwrap();
        let (escrow, _) = escrow.apply(&fund, 1).unwrap();
        let offer = Offer {
            task_id: "t".into(),
            escrow_id: escrow.id().into(),
            payer,
            payee,
            amount: Amount::new(60),
        };
        Scene {
            tasks,
            escrow,
            offer,
        }
    }

    fn confirmation(scene: &Scene) -> Confirmation {
        Confirmation {
            task_id: "t".into(),
            escrow_id: scene.escrow.id().into(),
            confirmer: scene.offer.payer.clone(),
        }
    }

    #[test]
    fn confirmed_offer_releases_its_amount_once() {
        let scene = scene();
        let task = scene.tasks.get("t").unwrap();
        let mut payments = Payments::new();
        let early = payments.confirm(&confirmation(&scene), &scene.escrow);
        assert_eq!(early, Err(PaymentError::NoOffer));
        payments
            .offer(scene.offer.clone(), task, &scene.escrow)
            .unwrap();
        let twice = payments.offer(scene.offer.clone(), task, &scene.escrow);
        assert_eq!(twice, Err(PaymentError::DuplicateOffer));
        let by_payee = Confirmation {
            confirmer: scene.offer.payee.clone(),
            ..confirmation(&scene)
        };
        let refused = payments.confirm(&by_payee, &scene.escrow);
        assert_eq!(refused, Err(PaymentError::NotPayer));
        let release = payments.confirm(&confirmation(&scene), &scene.escrow);
        let expected = Action::Release {
            amount: Amount::new(60),
        };
        assert_eq!(release, Ok(expected));
        let again = payments.confirm(&confirmation(&scene), &scene.escrow);
        assert_eq!(again, Err(PaymentError::AlreadyConfirmed));
    }

    #[test]
    fn offer_fits_its_task_and_its_escrow() {
        let scene = scene();
        let task = scene.tasks.get("t").unwrap();
        let mut payments = Payments::new();
        let mut offered = |change: fn(&mut Offer)| {
            let mut offer = scene.offer.clone();
            change(&mut offer);
            payments
                .offer(offer, task, &scene.escrow)
                .map_err(PaymentError::reason_code)
        };
        assert_eq!(
            offered(|o| o.task_id = "u".into()),
            Err("payment_task_not_completed")
        );
        assert_eq!(
            offered(|o| o.payee = carol().did.as_did().clone()),
            Err("payment_parties_mismatch")
        );
        assert_eq!(
            offered(|o| o.escrow_id.push('0')),
            Err("payment_escrow_mismatch")
        );
        assert_eq!(
            offered(|o| o.amount = Amount::ZERO),
            Err("payment_amount_invalid")
        );
        assert_eq!(
            offered(|o| o.amount = Amount::new(101)),
            Err("payment_amount_invalid")
        );
        assert_eq!(offered(|_| ()), Ok(()));
    }
}
