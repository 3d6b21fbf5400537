//! What steps have asked of models beside a request, and what that costs.

use jiff::Timestamp;

use crate::gateway::bill::{Bill, Payee};
use crate::gateway::settle;
use crate::pipeline::charge::{Basis, Beside, Charge, Question};
use crate::pipeline::cx::Cx;
use crate::tokens::Factor;

/// Questions of steps to models, and what they are paid by.
pub struct Asides {
    questions: Beside,
    basis: Basis,
    now: Timestamp,
}

impl Asides {
    /// Those of a request, if a step of its policy may ask.
    pub fn of(cx: &mut Cx) -> Option<Self> {
        let now = cx.clock.now();
        cx.beside.take().map(|questions| Self { questions, basis: cx.basis, now })
    }

    /// Those that nobody has booked yet. What a provider does not say of them has no price.
    pub fn take(&self) -> Vec<settle::Failed> {
        let Basis { service, unknown } = self.basis;
        let booked = |charge: Charge| {
            let payee = Payee::of(&charge.asked, unknown, self.now);
            let bill = Bill::of(payee, &Question::unread(), Factor::default(), service).unread().using(charge.usage);
            settle::Failed { attempt: charge.attempt, hold: charge.hold, bill }
        };
        self.questions.take().into_iter().map(booked).collect()
    }
}
