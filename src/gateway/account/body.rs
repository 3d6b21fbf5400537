//! A forwarded body, accounted for when it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame as BodyFrame};

use super::Account;
use crate::base::stop::Stop;
use crate::pipeline::glean::Tail;
use crate::pipeline::passing::Passing;

/// A forwarded body on its way to the caller, accounted for when it ends.
pub struct AccountedBody {
    body: Passing,
    /// What is kept of it; `None` where it costs nothing.
    tail: Option<Tail>,
    account: Box<Account>,
}

impl AccountedBody {
    pub fn new(body: Passing, mut account: Box<Account>) -> Self {
        if body.is_end_stream() {
            account.close("ok");
        }
        let tail = account.bill.payee.is_some().then(Tail::default);
        Self { body, tail, account }
    }

    fn end(&mut self) {
        if let Some(usage) = self.tail.take().and_then(|tail| tail.usage()) {
            self.account.bill.usage.update(&usage);
        }
        self.account.close("ok");
    }
}

impl Body for AccountedBody {
    type Data = Bytes;
    type Error = Stop;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Stop>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Err(stop)) => self.account.fail(stop),
            Some(Ok(piece)) => {
                if let Some(bytes) = piece.data_ref() {
                    self.tail.iter_mut().for_each(|tail| tail.push(bytes));
                    self.account.traced.iter().for_each(|traced| traced.gives_unread(bytes));
                }
                // A body whose length is known is not asked again after its last byte.
                if self.body.is_end_stream() {
                    self.end();
                }
            }
            None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
