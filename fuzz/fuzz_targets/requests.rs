//! Any request at all to the whole service but its sockets, on SQLite: never a 500, problems as documents, and what was saved is greeted.
#![no_main]

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use birthday_api::clock::Clock;
use birthday_api::config::Settings;
use birthday_api::http::Received;
use birthday_api::store;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rocket::http::{ContentType, Header, Method, Status};
use rocket::local::blocking::Client;
use tempfile::TempDir;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: u8,
    path: Path<'a>,
    zone: Option<&'a str>,
    json: bool,
    accept: &'a str,
    body: &'a [u8],
}

const METHODS: [Method; 6] = [Method::Get, Method::Put, Method::Delete, Method::Post, Method::Head, Method::Options];

#[derive(Arbitrary, Debug)]
enum Path<'a> {
    Hello(&'a str),
    Calendar(&'a str),
    Any(&'a str),
}

struct Service {
    /// Left as it is when the fuzzer exits: the runtime that would stop it is gone by then.
    client: ManuallyDrop<Client>,
    _directory: TempDir,
}

thread_local!(static SERVICE: RefCell<Option<Service>> = const { RefCell::new(None) });

fn start() -> Service {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}/birthdays.db", directory.path().display());
    let figment = Figment::from(Toml::string(include_str!("../../Rocket.toml")).nested())
        .merge(Serialized::default("databases.birthdays.url", url));
    let (figment, settings) = Settings::load(&figment).expect("the settings are good");
    rocket::execute(store::migrate_at_start(&settings.databases.birthdays)).expect("a new database");
    let clock = Clock::new(|| "2026-11-23T12:00:00Z".parse().expect("a time"));
    let client = Client::untracked(birthday_api::rocket(figment, settings, clock)).expect("the service starts");
    Service { client: ManuallyDrop::new(client), _directory: directory }
}

/// Everything but letters and digits, so that any text can stand in a path.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fuzz_target!(|input: Input| SERVICE.with_borrow_mut(|service| ask(&service.get_or_insert_with(start).client, &input)));

fn ask(client: &Client, input: &Input) {
    let method = METHODS[usize::from(input.method) % METHODS.len()];
    let path = match input.path {
        Path::Hello(name) => format!("/hello/{}", encoded(name)),
        Path::Calendar(name) => format!("/hello/{}/birthday.ics", encoded(name)),
        Path::Any(path) => format!("/{path}"),
    };
    let query = input.zone.map(|zone| format!("?tz={}", encoded(zone))).unwrap_or_default();
    let mut request = client.req(method, format!("{path}{query}")).header(Header::new("Accept", input.accept.to_owned()));
    if input.json {
        request.add_header(ContentType::JSON);
    }
    request.inner().local_cache(|| Received::now(input.body.to_vec()));
    let answer = request.dispatch();
    let (status, kind) = (answer.status(), answer.content_type());
    assert!(status.code < 500, "{status} to {input:?}");
    if path.starts_with("/hello/") && status.code >= 400 && method != Method::Head {
        assert_eq!(kind.map(|kind| kind.to_string()).as_deref(), Some("application/problem+json"), "{status} to {input:?}");
    }
    if status == Status::NoContent && method == Method::Put {
        let greeting = client.get(path.as_str()).dispatch();
        assert_eq!(greeting.status(), Status::Ok, "what {input:?} saved");
    }
}
