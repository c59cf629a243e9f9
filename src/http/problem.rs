//! Errors as RFC 9457 problem details: the only place that gives a failure its status and text.

use std::borrow::Cow;
use std::mem::discriminant;

use rocket::http::Status;
use rocket::response::{self, Responder};
use rocket::{Catcher, Request, catcher};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::call::{LARGEST_BODY, Received};
use crate::birthday::{DateOfBirthError, UsernameError};
use crate::store::StoreError;

/// Everything that can go wrong with a request. The text of a variant is the problem's `detail`: what the caller should change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    InvalidUsername(#[from] UsernameError),
    #[error(transparent)]
    InvalidDateOfBirth(#[from] DateOfBirthError),
    #[error("the body must be a JSON object such as {{\"dateOfBirth\":\"1990-05-17\"}}: {0}")]
    InvalidBody(Cow<'static, str>),
    #[error("{0}")]
    InvalidTimeZone(&'static str),
    #[error("the request could not be understood")]
    BadRequest,
    #[error("send exactly one Host header, with a host name or an address")]
    InvalidHost,
    #[error("this service answers only to localhost; to reach it at another address, set public_url to that address")]
    MisdirectedRequest,
    #[error("the request was sent by a page of another site; send it from this service's own page")]
    ForeignOrigin,
    #[error("no birthday is saved under that name; check the spelling, or save a date of birth first")]
    UnknownUsername,
    #[error("there is no resource at this path; the API is described at /docs")]
    NotFound,
    #[error("this resource supports only {0}")]
    MethodNotAllowed(Cow<'static, str>),
    #[error("the precondition of If-Match or If-None-Match does not hold; nothing was changed")]
    PreconditionFailed,
    #[error("the request did not arrive within its time limit; send it again")]
    RequestTimeout,
    #[error("the body is larger than {LARGEST_BODY} bytes")]
    TooLarge,
    #[error("the content type must be {0}")]
    UnsupportedMediaType(&'static str),
    #[error("the body must have no content encoding")]
    UnsupportedCoding,
    #[error("the service failed, and logged the error")]
    Internal,
    #[error("{0}; try again in a moment")]
    Unavailable(StoreError),
    #[error("the service is shutting down; another instance will answer")]
    Draining,
    /// Refused by Rocket itself, and not covered by the variants above.
    #[error("the request was refused: {}", .0.reason_lossy())]
    Other(Status),
}

/// The body of every error answer (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, title = "Problem")]
pub struct Document {
    /// A link to the description of this kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/docs#invalid-username")]
    kind: String,
    #[schema(example = "Invalid username")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// What the caller should change.
    #[schema(example = "the username may contain only ASCII letters (A-Z, a-z)")]
    detail: String,
}

/// For each kind of problem, an example for the documentation, the status, the anchor in the documentation, and the title.
static KINDS: [(Problem, Status, &str, &str); 20] = {
    use Problem::*;
    [
        (InvalidUsername(UsernameError::NotALetter), Status::BadRequest, "invalid-username", "Invalid username"),
        (InvalidDateOfBirth(DateOfBirthError::Form), Status::BadRequest, "invalid-date-of-birth", "Invalid date of birth"),
        (InvalidBody(Cow::Borrowed("it is not an object")), Status::BadRequest, "invalid-body", "Invalid body"),
        (InvalidTimeZone("tz may be given only once"), Status::BadRequest, "invalid-time-zone", "Invalid time zone"),
        (BadRequest, Status::BadRequest, "bad-request", "Bad request"),
        (InvalidHost, Status::BadRequest, "invalid-host", "Invalid host"),
        (MisdirectedRequest, Status::MisdirectedRequest, "misdirected-request", "Misdirected request"),
        (ForeignOrigin, Status::Forbidden, "foreign-origin", "Foreign origin"),
        (UnknownUsername, Status::NotFound, "unknown-username", "Unknown username"),
        (NotFound, Status::NotFound, "not-found", "Not found"),
        (MethodNotAllowed(Cow::Borrowed("GET, HEAD")), Status::MethodNotAllowed, "method-not-allowed", "Method not allowed"),
        (PreconditionFailed, Status::PreconditionFailed, "precondition-failed", "Precondition failed"),
        (RequestTimeout, Status::RequestTimeout, "request-timeout", "Request timeout"),
        (TooLarge, Status::PayloadTooLarge, "too-large", "Body too large"),
        (
            UnsupportedMediaType("application/json"),
            Status::UnsupportedMediaType,
            "unsupported-media-type",
            "Unsupported media type",
        ),
        (UnsupportedCoding, Status::UnsupportedMediaType, "unsupported-coding", "Unsupported content encoding"),
        (Internal, Status::InternalServerError, "internal", "Internal error"),
        (Unavailable(StoreError::Unavailable), Status::ServiceUnavailable, "unavailable", "Service unavailable"),
        (Draining, Status::ServiceUnavailable, "draining", "Shutting down"),
        (Other(Status::ExpectationFailed), Status::ExpectationFailed, "refused", "Refused"),
    ]
};

impl Problem {
    /// Status, anchor in the documentation, and title.
    pub fn class(&self) -> (Status, &'static str, &'static str) {
        let mut kinds = KINDS.iter();
        let (_, status, anchor, title) =
            kinds.find(|(kind, ..)| discriminant(kind) == discriminant(self)).expect("a test finds every kind in the table");
        let status = if let Self::Other(status) = self { status } else { status };
        (*status, anchor, title)
    }

    /// One of each kind, for the documentation.
    pub fn examples() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().map(|(example, ..)| example)
    }

    pub fn document(&self) -> Document {
        let (status, anchor, title) = self.class();
        Document { kind: format!("/docs#{anchor}"), title, status: status.code, detail: self.to_string() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable | StoreError::NotMigrated => Self::Unavailable(error),
            StoreError::Refused => Self::Internal,
        }
    }
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let text = serde_json::to_vec(&self.document()).expect("the document is made of strings and numbers");
        let answer = Answer::text("application/problem+json", text).status(self.class().0);
        let answer = if let Self::MethodNotAllowed(allow) = self { answer.header("Allow", allow) } else { answer };
        answer.respond_to(request)
    }
}

/// Answers requests that no handler takes.
pub fn catcher() -> Catcher {
    fn refuse<'r>(status: Status, request: &'r Request<'_>) -> catcher::BoxFuture<'r> {
        let problem = match status.code {
            400 => Problem::BadRequest,
            // No route matches the path, or a parameter in it.
            404 | 422 => Received::of(request).body.as_ref().err().cloned().unwrap_or(Problem::NotFound),
            500 => Problem::Internal,
            503 => Problem::Unavailable(StoreError::Unavailable),
            _ => Problem::Other(status),
        };
        Box::pin(async move { problem.respond_to(request) })
    }
    Catcher::new(None, refuse)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_examples_are_one_of_each_kind() {
        let variants = include_str!("problem.rs").split("pub enum Problem {").nth(1).unwrap().split("\n}").next().unwrap();
        let kinds: HashSet<_> = Problem::examples().map(discriminant).collect();
        assert_eq!(kinds.len(), KINDS.len());
        assert_eq!(kinds.len(), variants.matches("#[error(").count());
    }
}
