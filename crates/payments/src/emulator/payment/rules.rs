//! What a request leads to.

use super::{Decision, MAX_CHANGES, Name, OperationRefused, Payment, Request, State};

impl Payment {
    /// What `request` leads to, under the merchant's `key` if it is a merchant's.
    pub(in super::super) fn decide(
        &self,
        request: Request,
        key: Option<&str>,
    ) -> Result<Decision, OperationRefused> {
        if let Some((used_for, answer)) = key.and_then(|key| self.answers.get(key)) {
            return if *used_for == request {
                Ok(Decision::Known(*answer))
            } else {
                Err(OperationRefused::KeyReused)
            };
        }
        if self.history.len() > MAX_CHANGES {
            return Err(OperationRefused::TooManyChanges);
        }
        match request {
            Request::Approve => self.approve(self.creation.amount_ore),
            Request::ApproveOther(amount_ore) => self.approve(amount_ore),
            Request::Decline if self.creation.nexi.is_some() => self.try_again(),
            Request::Decline => {
                self.answer_of_customer(Name::Aborted, State::Aborted, self.creation.amount_ore)
            }
            Request::Capture(amount_ore) => {
                let (left, exceeds) = (self.left_to_capture(), OperationRefused::ExceedsAuthorized);
                self.modify(Name::Captured, amount_ore, left, exceeds)
            }
            Request::Refund(amount_ore) => {
                let (left, exceeds) = (self.left_to_refund(), OperationRefused::ExceedsCaptured);
                self.modify(Name::Refunded, amount_ore, left, exceeds)
            }
            Request::RefundOf(amount_ore, charge) => {
                let left = self.left_of(charge).ok_or(OperationRefused::NoSuchCharge)?;
                self.modify(
                    Name::Refunded,
                    amount_ore,
                    left,
                    OperationRefused::ExceedsCaptured,
                )
            }
            Request::Cancel {
                only_if_not_authorized,
            } => self.cancel(only_if_not_authorized),
            Request::Release(amount_ore) => {
                self.must_be_authorized()?;
                match self.left_to_capture() {
                    0 => Err(OperationRefused::NothingToCancel),
                    left if left == amount_ore => Ok(Decision::Happens(Name::Cancelled, left)),
                    _ => Err(OperationRefused::NotTheRest),
                }
            }
        }
    }

    fn approve(&self, amount_ore: i64) -> Result<Decision, OperationRefused> {
        self.answer_of_customer(Name::Authorized, State::Authorized, amount_ore)
    }

    /// At Nexi a customer who is declined may try again.
    fn try_again(&self) -> Result<Decision, OperationRefused> {
        match self.now.state {
            State::Created => Ok(Decision::Happens(
                Name::ReservationFailed,
                self.creation.amount_ore,
            )),
            _ => Err(OperationRefused::NotWaiting),
        }
    }

    /// A button may be pressed twice; the second press changes nothing.
    fn answer_of_customer(
        &self,
        name: Name,
        leads_to: State,
        amount_ore: i64,
    ) -> Result<Decision, OperationRefused> {
        match self.now.state {
            State::Created => Ok(Decision::Happens(name, amount_ore)),
            state if state == leads_to => Ok(Decision::Known(self.now)),
            _ => Err(OperationRefused::NotWaiting),
        }
    }

    /// Captures or refunds an amount, of which at most `left` is possible.
    fn modify(
        &self,
        name: Name,
        amount_ore: i64,
        left: i64,
        exceeds: OperationRefused,
    ) -> Result<Decision, OperationRefused> {
        self.must_be_authorized()?;
        if amount_ore <= 0 {
            return Err(OperationRefused::Amount);
        }
        if amount_ore > left {
            return Err(exceeds);
        }
        Ok(Decision::Happens(name, amount_ore))
    }

    /// Before approval a cancel ends the payment. After it, a cancel releases what is not captured and the state stays; with
    /// `cancelTransactionOnly` it is refused.
    fn cancel(&self, only_if_not_authorized: bool) -> Result<Decision, OperationRefused> {
        if self.now.state == State::Created {
            return Ok(Decision::Happens(Name::Terminated, self.creation.amount_ore));
        }
        self.must_be_authorized()?;
        if only_if_not_authorized {
            return Err(OperationRefused::Authorized);
        }
        let left = self.left_to_capture();
        if left == 0 {
            return Err(OperationRefused::NothingToCancel);
        }
        Ok(Decision::Happens(Name::Cancelled, left))
    }

    fn must_be_authorized(&self) -> Result<(), OperationRefused> {
        if self.now.state == State::Authorized {
            Ok(())
        } else {
            Err(OperationRefused::NotAuthorized)
        }
    }
}
