//! Every kind of problem explained: what it means, and what to do about it.

use rocket::http::Status;

use super::super::problem::Problem;
use crate::birthday::{DateOfBirthError, UsernameError};

pub struct Entry {
    problem: Problem,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

impl Entry {
    /// Status, anchor and title.
    pub fn class(&self) -> (Status, &'static str, &'static str) {
        self.problem.class()
    }

    /// The body of such an answer.
    pub fn example(&self) -> String {
        serde_json::to_string_pretty(&self.problem.document()).expect("the document is made of strings and numbers")
    }
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry {
            problem: Problem::InvalidUsername(UsernameError::NotALetter),
            meaning: "The name in the path is not a username.",
            remedy: "Use 1 to 64 ASCII letters (A-Z, a-z). Case matters: Ada and ada are two people.",
        },
        Entry {
            problem: Problem::InvalidDateOfBirth(DateOfBirthError::Form),
            meaning: "The date has another form, is not in the calendar, or is not before today.",
            remedy: "Send ten characters, YYYY-MM-DD, that name a real date before today in the time zone that applies.",
        },
        Entry {
            problem: Problem::InvalidBody("unknown field `dob`, expected `dateOfBirth` at line 1 column 6".to_owned()),
            meaning: "The body is not a JSON object with the one member dateOfBirth.",
            remedy: "Send {\"dateOfBirth\":\"1990-05-17\"}: one object, one member, once, and nothing after it.",
        },
        Entry {
            problem: Problem::InvalidTimeZone("tz must be a time zone of the IANA database, such as Europe/Amsterdam".to_owned()),
            meaning: "The parameter tz is not a time zone, or is given more than once.",
            remedy: "Name one zone of the IANA database, in its spelling, or leave tz out.",
        },
        Entry {
            problem: Problem::BadRequest,
            meaning: "The request does not follow HTTP, or not far enough to say more.",
            remedy: "Compare it with the examples on this page.",
        },
        Entry {
            problem: Problem::ForeignOrigin,
            meaning: "A page of another site sent the form. Such requests are refused, so that no site can save birthdays in a visitor's name.",
            remedy: "Send the form from this service's own page. Programs use PUT /hello/<username>.",
        },
        Entry {
            problem: Problem::UnknownUsername,
            meaning: "The name is valid, but no birthday is kept under it.",
            remedy: "Check the spelling, case included, or save a date of birth for it.",
        },
        Entry {
            problem: Problem::NotFound,
            meaning: "There is no resource at this path.",
            remedy: "Check the path. The paths of this API are listed above.",
        },
        Entry {
            problem: Problem::MethodNotAllowed { allow: "GET, HEAD, PUT, DELETE", form: false },
            meaning: "The resource exists, but does not take this method.",
            remedy: "Use a method that the answer's Allow header lists.",
        },
        Entry {
            problem: Problem::RequestTimeout,
            meaning: "The body did not arrive in time.",
            remedy: "Send the request again. Every request of this API may be repeated.",
        },
        Entry {
            problem: Problem::TooLarge,
            meaning: "The body is larger than this API ever needs.",
            remedy: "Send dateOfBirth alone; that is less than 50 bytes.",
        },
        Entry {
            problem: Problem::UnsupportedMediaType { expected: "application/json" },
            meaning: "The Content-Type is another than the resource takes, or missing.",
            remedy: "Send Content-Type: application/json with PUT; parameters such as charset are allowed.",
        },
        Entry {
            problem: Problem::Internal,
            meaning: "The service failed. It is not the request's fault.",
            remedy: "Try again later. Whoever runs the service finds the reason in its log.",
        },
        Entry {
            problem: Problem::Unavailable,
            meaning: "The database cannot be reached, is overloaded or too slow. Nothing that was acknowledged is lost.",
            remedy: "Wait as many seconds as the Retry-After header says, then repeat the request.",
        },
        Entry {
            problem: Problem::Draining,
            meaning: "This instance is about to stop. Only /readyz answers so.",
            remedy: "Nothing: load balancers send new requests to other instances.",
        },
        Entry {
            problem: Problem::Other(Status::PreconditionFailed),
            meaning: "Any other refusal; its status says which.",
            remedy: "Look up the status in RFC 9110, section 15.",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The anchors that `Problem::class` can return, read from its source.
    #[test]
    fn every_kind_of_problem_is_explained_once() {
        let source = include_str!("../problem.rs");
        let class = source.split("fn class(").nth(1).unwrap().split("fn document(").next().unwrap();
        // Titles begin with a capital, anchors do not.
        let texts = class.split('"').skip(1).step_by(2);
        let mut anchors: Vec<&str> = texts.filter(|text| text.starts_with(|first: char| first.is_ascii_lowercase())).collect();
        let mut explained: Vec<&str> = entries().iter().map(|entry| entry.class().1).collect();
        anchors.sort_unstable();
        explained.sort_unstable();
        assert!(anchors.contains(&"invalid-username") && anchors.contains(&"refused"));
        assert_eq!(explained, anchors);
    }
}
