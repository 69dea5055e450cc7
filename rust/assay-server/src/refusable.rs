//! What a layer answers that may turn a call away itself.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;
use tonic::Status;

pin_project! {
    /// The response of the service behind a layer, or the layer's refusal.
    #[project = Coming]
    pub(crate) enum Refusable<F> {
        Refused { status: Option<Status> },
        Passed {
            #[pin]
            answer: F,
        },
    }
}

impl<F> Refusable<F> {
    pub(crate) fn refused(status: Status) -> Self {
        Self::Refused {
            status: Some(status),
        }
    }

    pub(crate) fn passed(answer: F) -> Self {
        Self::Passed { answer }
    }
}

impl<F, B, E> Future for Refusable<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Coming::Refused { status } => {
                let status = status
                    .take()
                    .unwrap_or_else(|| Status::internal("asked twice"));
                Poll::Ready(Ok(status.into_http()))
            }
            Coming::Passed { answer } => answer.poll(context),
        }
    }
}
