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
    #[error("the request was sent by a page at another address; use this service's own page, at its public_url if that is set")]
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
static KINDS: [(Problem, u16, &str, &str); 19] = {
    use Problem::*;
    [
        (InvalidUsername(UsernameError::NotALetter), 400, "invalid-username", "Invalid username"),
        (InvalidDateOfBirth(DateOfBirthError::Form), 400, "invalid-date-of-birth", "Invalid date of birth"),
        (InvalidBody(Cow::Borrowed("it is not an object")), 400, "invalid-body", "Invalid body"),
        (InvalidTimeZone("tz may be given only once"), 400, "invalid-time-zone", "Invalid time zone"),
        (BadRequest, 400, "bad-request", "Bad request"),
        (InvalidHost, 400, "invalid-host", "Invalid host"),
        (MisdirectedRequest, 421, "misdirected-request", "Misdirected request"),
        (ForeignOrigin, 403, "foreign-origin", "Foreign origin"),
        (UnknownUsername, 404, "unknown-username", "Unknown username"),
        (NotFound, 404, "not-found", "Not found"),
        (MethodNotAllowed(Cow::Borrowed("GET, HEAD")), 405, "method-not-allowed", "Method not allowed"),
        (PreconditionFailed, 412, "precondition-failed", "Precondition failed"),
        (RequestTimeout, 408, "request-timeout", "Request timeout"),
        (TooLarge, 413, "too-large", "Body too large"),
        (UnsupportedMediaType("application/json"), 415, "unsupported-media-type", "Unsupported media type"),
        (UnsupportedCoding, 415, "unsupported-coding", "Unsupported content encoding"),
        (Internal, 500, "internal", "Internal error"),
        (Unavailable(StoreError::Unavailable), 503, "unavailable", "Service unavailable"),
        (Draining, 503, "draining", "Shutting down"),
    ]
};

impl Problem {
    /// Status, anchor in the documentation, and title.
    pub fn class(&self) -> (Status, &'static str, &'static str) {
        let kind = KINDS.iter().find(|(kind, ..)| discriminant(kind) == discriminant(self));
        let (_, status, anchor, title) = kind.expect("a test finds every kind in the table");
        (Status::new(*status), anchor, title)
    }

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
            500.. => Problem::Internal,
            // No route matches, or `dispatch` refuses the request.
            _ => Received::of(request).body.as_ref().err().cloned().unwrap_or(Problem::NotFound),
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
