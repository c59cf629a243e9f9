//! `/docs`: what the OpenAPI document says, and every kind of problem, as a page.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use askama::Template;
use askama::filters::Safe;
use serde::Deserialize;
use serde_json::Value;

use super::super::problem::Problem;
use super::Site;
use super::problems::{Entry, entries};

pub fn docs(site: &Site, openapi: impl FnOnce() -> String) -> String {
    static API: OnceLock<Api> = OnceLock::new();
    let api = API.get_or_init(|| serde_json::from_str(&openapi()).expect("the document is OpenAPI"));
    Docs { site, api, problems: entries() }.render().expect("writing to a text cannot fail")
}

#[derive(Template)]
#[template(path = "docs.html", config = "src/http/page/askama.toml")]
struct Docs<'a> {
    site: &'a Site,
    api: &'a Api,
    problems: Vec<Entry>,
}

/// What the page shows of an OpenAPI document; the rest is ignored.
#[derive(Deserialize)]
struct Api {
    info: Info,
    tags: Vec<Tag>,
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
    components: Components,
}

#[derive(Deserialize)]
struct Info {
    title: String,
    description: String,
    version: String,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    description: String,
}

#[derive(Deserialize)]
struct Components {
    schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    tags: Vec<String>,
    operation_id: String,
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
    request_body: Option<Body>,
    responses: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    r#in: String,
    #[serde(default)]
    required: bool,
    description: String,
    #[serde(default)]
    example: Value,
}

#[derive(Deserialize)]
struct Body {
    description: String,
    content: BTreeMap<String, Media>,
}

#[derive(Deserialize)]
struct Answer {
    description: String,
    #[serde(default)]
    content: BTreeMap<String, Media>,
    #[serde(default)]
    headers: BTreeMap<String, Header>,
}

#[derive(Deserialize)]
struct Header {
    description: String,
}

#[derive(Deserialize)]
struct Media {
    #[serde(default)]
    schema: Reference,
}

#[derive(Default, Deserialize)]
struct Reference {
    #[serde(rename = "$ref", default)]
    to: String,
}

impl Reference {
    fn name(&self) -> &str {
        self.to.rsplit('/').next().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Schema {
    description: String,
    properties: BTreeMap<String, Property>,
    #[serde(default)]
    required: Vec<String>,
}

#[derive(Deserialize)]
struct Property {
    r#type: Value,
    #[serde(default)]
    description: String,
    #[serde(default)]
    example: Value,
}

impl Api {
    /// Path, method in capitals, and operation of all that carry the tag.
    fn operations(&self, tag: &str) -> Vec<(&str, String, &Operation)> {
        let methods = self.paths.iter().flat_map(|(path, item)| item.iter().map(move |entry| (path.as_str(), entry)));
        let mut found: Vec<_> = methods
            .filter(|(_, (_, operation))| operation.tags.iter().any(|name| name == tag))
            .map(|(path, (method, operation))| (path, method.to_uppercase(), operation))
            .collect();
        // Save before asking, ask before deleting.
        found.sort_by_key(|(path, method, _)| (*path, ["PUT", "GET", "POST", "DELETE"].iter().position(|known| known == method)));
        found
    }

    /// A body that the operation accepts, with its media type.
    fn example(&self, operation: &Operation) -> Option<(String, String)> {
        let (kind, media) = operation.request_body.as_ref()?.content.first_key_value()?;
        let schema = self.components.schemas.get(media.schema.name())?;
        let examples = schema.properties.iter().filter(|(_, property)| !property.example.is_null());
        let text = if kind == "application/json" {
            Value::from_iter(examples.map(|(name, property)| (name.clone(), property.example.clone()))).to_string()
        } else {
            examples.map(|(name, property)| format!("{name}={}", plain(&property.example))).collect::<Vec<_>>().join("&")
        };
        Some((kind.clone(), text))
    }

    fn curl(&self, site: &Site, path: &str, method: &str, operation: &Operation) -> String {
        let mut path = path.to_owned();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.r#in == "path") {
            path = path.replace(&format!("{{{}}}", parameter.name), &plain(&parameter.example));
        }
        let method = if method == "GET" { String::new() } else { format!(" -X {method}") };
        let body = self.example(operation).map_or_else(String::new, |(kind, text)| {
            if kind == "application/json" { format!(" --json '{text}'") } else { format!(" -d '{text}'") }
        });
        format!("curl -i{method}{body} '{site}{path}'")
    }
}

/// A JSON value as a person writes it: texts without quotes, nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Escapes, and shows what stands between backticks as code, as CommonMark does.
fn prose(text: &str) -> Safe<String> {
    let escaped = askama::filters::escape(text, askama::filters::Html).map_or_else(|_| String::new(), |text| text.to_string());
    let parts = escaped.split('`').enumerate();
    Safe(parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_of_the_document_has_an_anchor_of_its_own() {
        let page = docs(&Site::default(), crate::http::openapi);
        let anchors: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let unique: HashSet<&str> = anchors.iter().copied().collect();
        assert_eq!(unique.len(), anchors.len(), "{anchors:?}");
        let api: Api = serde_json::from_str(&crate::http::openapi()).unwrap();
        let operations: Vec<_> = api.paths.values().flat_map(BTreeMap::values).collect();
        assert!(operations.len() >= 11, "{}", operations.len());
        for operation in operations {
            assert!(unique.contains(operation.operation_id.as_str()), "{}", operation.operation_id);
            assert!(api.tags.iter().any(|tag| operation.tags.contains(&tag.name)), "{}", operation.operation_id);
        }
    }

    #[test]
    fn prose_is_escaped_before_code_is_marked() {
        assert_eq!(prose("<b> `x<y` & z").0, "&#60;b&#62; <code>x&#60;y</code> &#38; z");
    }
}
