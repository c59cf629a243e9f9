//! The web pages and the files that they load, all part of the binary.

pub mod home;

use std::sync::{LazyLock, OnceLock};

use hyper::body::Bytes;
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value};
use rocket::State;

use super::answer::{Answer, tag_of};
use super::call::Call;
use super::docs;
use super::problem::Problem;
use crate::config::Settings;

pub const HTML: &str = "text/html; charset=utf-8";

/// Renders the template `name`. Templates escape whatever they print, and an undefined variable is an error.
pub fn render(name: &str, context: Value) -> String {
    static TEMPLATES: LazyLock<Environment<'_>> = LazyLock::new(|| {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        templates.add_filter("prose", prose);
        for (name, text) in [
            ("home.html", include_str!("home.html")),
            ("docs.html", include_str!("docs.html")),
            ("problems.html", include_str!("problems.html")),
        ] {
            templates.add_template(name, text).expect("the templates are part of the binary and tested");
        }
        templates
    });
    let page = TEMPLATES.get_template(name).and_then(|template| template.render(context));
    page.expect("the templates are part of the binary and tested")
}

/// Shows text between backticks as code, as CommonMark does.
fn prose(text: &str) -> Value {
    let parts = text.split('`').map(|part| HtmlEscape(part).to_string()).enumerate();
    Value::from_safe_string(parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect())
}

/// No resources from other sites, nothing inline, no framing, no forms to other sites.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn protected(answer: Answer) -> Answer {
    let answer = answer.header("Content-Security-Policy", POLICY).header("Cross-Origin-Opener-Policy", "same-origin");
    // Not `no-referrer`: with it browsers send `Origin: null` with the page's own form.
    answer.header("Referrer-Policy", "same-origin")
}

/// Pages and files that are the same for every request, built when the first is asked for: a service that is only called by programs
/// does not keep them in memory.
#[derive(Default)]
pub struct Assets(OnceLock<Vec<Asset>>);

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: Bytes,
    tag: String,
}

impl Assets {
    pub fn named(&self, name: &str, call: &Call<'_>) -> Result<Answer, Problem> {
        let mut assets = self.0.get_or_init(|| build(call.settings)).iter();
        let asset = assets.find(|asset| asset.name == name).ok_or(Problem::NotFound)?;
        Ok(protected(Answer::kept(call, asset.kind, asset.text.clone(), asset.tag.clone())))
    }

    /// The text with this tag, which answers share without copying it.
    pub fn tagged(&self, tag: &str) -> Option<Bytes> {
        self.0.get()?.iter().find(|asset| asset.tag == tag).map(|asset| asset.text.clone())
    }
}

fn build(settings: &Settings) -> Vec<Asset> {
    let (css, script) = ("text/css; charset=utf-8", "text/javascript");
    let texts = [
        ("/", HTML, home::empty(settings)),
        ("/docs", HTML, docs::page(settings)),
        ("/openapi.json", "application/json", docs::openapi()),
        ("style.css", css, include_str!("style.css").to_owned()),
        ("home.css", css, include_str!("home.css").to_owned()),
        ("home.js", script, include_str!("home.js").to_owned()),
        ("docs.css", css, include_str!("docs.css").to_owned()),
        ("docs.js", script, include_str!("docs.js").to_owned()),
    ];
    texts.map(|(name, kind, text)| Asset { name, kind, tag: tag_of(&text), text: text.into() }).into()
}

/// The files that the pages load, below `/docs`, which proxies in front of the service let through.
#[get("/docs/<file>")]
pub fn file(file: &str, call: Call<'_>, assets: &State<Assets>) -> Result<Answer, Problem> {
    assets.named(file, &call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_a_tag_builds_no_page() {
        let assets = Assets::default();
        assert!(assets.tagged("\"of a calendar\"").is_none() && assets.0.get().is_none());
    }

    #[test]
    fn prose_is_escaped_before_code_is_marked() {
        assert_eq!(prose("<b> `x<y` & z").to_string(), "&lt;b&gt; <code>x&lt;y</code> &amp; z");
    }
}
