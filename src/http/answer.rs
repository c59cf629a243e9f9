//! The answers that handlers return.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;

use hyper::body::Bytes;
use rocket::http::Status;
use rocket::request::Request;
use rocket::response::{self, Responder, Response};

use super::call::Call;

/// An answer. [`dispatch`](super::dispatch) adds the headers that all answers have.
pub struct Answer(Response<'static>);

impl Answer {
    pub fn new(status: Status) -> Self {
        Self(Response::build().status(status).finalize())
    }

    pub fn text(kind: &'static str, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let mut answer = Self::new(Status::Ok).header("Content-Type", kind);
        answer.0.set_sized_body(text.len(), Cursor::new(text));
        answer
    }

    /// A text that clients may cache if they revalidate it each time: 304 if it has not changed.
    pub fn kept(call: &Call<'_>, kind: &'static str, text: impl Into<Bytes>, tag: impl Into<Cow<'static, str>>) -> Self {
        let tag = tag.into();
        let answer = if call.knows(&tag) { Self::new(Status::NotModified) } else { Self::text(kind, text) };
        answer.header("Cache-Control", "private, no-cache").header("ETag", tag)
    }

    pub fn status(mut self, status: Status) -> Self {
        self.0.set_status(status);
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.set_raw_header(name, value);
        self
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(self.0)
    }
}

/// An entity tag (RFC 9110, 8.8.3): the same for the same text.
pub fn tag_of(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
