//! Errors as RFC 9457 problem details: the one place where a failure gets its status and its words.

use std::io::Cursor;

use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Catcher, Request, catcher};
use serde::Serialize;
use utoipa::ToSchema;

use super::guards::LARGEST_BODY;
use crate::birthday::{DateOfBirthError, UsernameError};
use crate::store::StoreError;

/// Everything that can go wrong with a request. The text of a variant is the problem's `detail`: what the caller should change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    InvalidUsername(UsernameError),
    #[error(transparent)]
    InvalidDateOfBirth(#[from] DateOfBirthError),
    #[error("the body must be a JSON object such as {{\"dateOfBirth\":\"1990-05-17\"}}: {0}")]
    InvalidBody(String),
    #[error("{0}")]
    InvalidTimeZone(String),
    #[error("the request could not be understood")]
    BadRequest,
    #[error("the header Host must be there once, with a host name or an address")]
    InvalidHost,
    #[error("this service answers to localhost alone; set public_url to the address at which it is reached")]
    MisdirectedRequest,
    #[error("the request was sent by a page of another site; send it from this service's own page")]
    ForeignOrigin,
    #[error("no birthday is saved under that name; check the spelling, or save a date of birth first")]
    UnknownUsername,
    #[error("there is nothing here; the API is described at /docs")]
    NotFound,
    #[error("this resource takes {allow}")]
    MethodNotAllowed { allow: String },
    #[error("the precondition of If-Match or If-None-Match does not hold; nothing was changed")]
    PreconditionFailed,
    #[error("the request did not arrive within its time limit; send it again")]
    RequestTimeout,
    #[error("the body is larger than {LARGEST_BODY} bytes")]
    TooLarge,
    #[error("the content type must be {expected}")]
    UnsupportedMediaType { expected: &'static str },
    #[error("the body must have no content encoding")]
    UnsupportedCoding,
    #[error("the service failed; the failure was logged")]
    Internal,
    #[error("the database cannot be reached or is too slow; try again in a moment")]
    Unavailable,
    #[error("the service is shutting down; another instance will answer")]
    Draining,
    /// What Rocket refuses by itself and none of the above covers.
    #[error("the request was refused: {}", .0.reason_lossy())]
    Other(Status),
}

/// The body of every error answer (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, title = "Problem")]
pub struct Document {
    /// Where this kind of problem is described.
    #[serde(rename = "type")]
    #[schema(example = "/docs#invalid-username")]
    kind: String,
    #[schema(example = "Invalid username")]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 400)]
    status: u16,
    /// What the caller should change.
    #[schema(example = "the username may hold only ASCII letters (A-Z, a-z)")]
    detail: String,
}

impl Problem {
    /// Status, anchor in the documentation, and title.
    pub fn class(&self) -> (Status, &'static str, &'static str) {
        match self {
            Self::InvalidUsername(_) => (Status::BadRequest, "invalid-username", "Invalid username"),
            Self::InvalidDateOfBirth(_) => (Status::BadRequest, "invalid-date-of-birth", "Invalid date of birth"),
            Self::InvalidBody(_) => (Status::BadRequest, "invalid-body", "Invalid body"),
            Self::InvalidTimeZone(_) => (Status::BadRequest, "invalid-time-zone", "Invalid time zone"),
            Self::BadRequest => (Status::BadRequest, "bad-request", "Bad request"),
            Self::InvalidHost => (Status::BadRequest, "invalid-host", "Invalid host"),
            Self::MisdirectedRequest => (Status::MisdirectedRequest, "misdirected-request", "Misdirected request"),
            Self::ForeignOrigin => (Status::Forbidden, "foreign-origin", "Foreign origin"),
            Self::UnknownUsername => (Status::NotFound, "unknown-username", "Unknown username"),
            Self::NotFound => (Status::NotFound, "not-found", "Not found"),
            Self::MethodNotAllowed { .. } => (Status::MethodNotAllowed, "method-not-allowed", "Method not allowed"),
            Self::PreconditionFailed => (Status::PreconditionFailed, "precondition-failed", "Precondition failed"),
            Self::RequestTimeout => (Status::RequestTimeout, "request-timeout", "Request timeout"),
            Self::TooLarge => (Status::PayloadTooLarge, "too-large", "Body too large"),
            Self::UnsupportedMediaType { .. } => {
                (Status::UnsupportedMediaType, "unsupported-media-type", "Unsupported media type")
            }
            Self::UnsupportedCoding => (Status::UnsupportedMediaType, "unsupported-coding", "Unsupported content encoding"),
            Self::Internal => (Status::InternalServerError, "internal", "Internal error"),
            Self::Unavailable => (Status::ServiceUnavailable, "unavailable", "Service unavailable"),
            Self::Draining => (Status::ServiceUnavailable, "draining", "Shutting down"),
            Self::Other(status) => (*status, "refused", "Refused"),
        }
    }

    /// One of each kind, for the documentation.
    pub fn examples() -> [Self; 20] {
        [
            Self::InvalidUsername(UsernameError::NotALetter),
            Self::InvalidDateOfBirth(DateOfBirthError::Form),
            Self::InvalidBody("unknown field `dob`, expected `dateOfBirth` at line 1 column 6".to_owned()),
            Self::InvalidTimeZone("tz must be a time zone of the IANA database, such as Europe/Amsterdam".to_owned()),
            Self::BadRequest,
            Self::InvalidHost,
            Self::MisdirectedRequest,
            Self::ForeignOrigin,
            Self::UnknownUsername,
            Self::NotFound,
            Self::MethodNotAllowed { allow: "GET, HEAD, PUT, DELETE".to_owned() },
            Self::PreconditionFailed,
            Self::RequestTimeout,
            Self::TooLarge,
            Self::UnsupportedMediaType { expected: "application/json" },
            Self::UnsupportedCoding,
            Self::Internal,
            Self::Unavailable,
            Self::Draining,
            Self::Other(Status::ExpectationFailed),
        ]
    }

    /// The body of the answer.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.document()).expect("the document is made of strings and numbers")
    }

    pub fn document(&self) -> Document {
        let (status, anchor, title) = self.class();
        Document { kind: format!("/docs#{anchor}"), title, status: status.code, detail: self.to_string() }
    }
}

impl From<UsernameError> for Problem {
    /// Without a name the path is `/hello/`, and there is nothing there.
    fn from(error: UsernameError) -> Self {
        match error {
            UsernameError::Empty => Self::NotFound,
            error => Self::InvalidUsername(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable | StoreError::NotMigrated => Self::Unavailable,
            StoreError::Refused => Self::Internal,
        }
    }
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let body = self.json();
        let mut response = Response::build();
        response
            .status(self.class().0)
            .header(ContentType::new("application", "problem+json"))
            .header(Header::new("Cache-Control", "no-store"))
            .sized_body(body.len(), Cursor::new(body));
        match &self {
            Self::MethodNotAllowed { allow, .. } => response.header(Header::new("Allow", allow.clone())),
            Self::Unavailable | Self::Draining => response.header(Header::new("Retry-After", "1")),
            // Unread parts of the body would be taken for the next request.
            Self::RequestTimeout => response.header(Header::new("Connection", "close")),
            _ => &mut response,
        };
        response.ok()
    }
}

/// Answers what the framework refuses by itself.
pub fn catcher() -> Catcher {
    fn refuse<'r>(status: Status, request: &'r Request<'_>) -> catcher::BoxFuture<'r> {
        let problem = match status.code {
            400 => Problem::BadRequest,
            404 => Problem::NotFound,
            413 => Problem::TooLarge,
            500 => Problem::Internal,
            503 => Problem::Unavailable,
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
        let kinds: HashSet<_> = Problem::examples().iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), Problem::examples().len());
        assert_eq!(kinds.len(), variants.matches("#[error(").count());
    }
}
