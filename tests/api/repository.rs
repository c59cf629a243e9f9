//! What the repository itself must keep to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Database, TestApp, postgresql, routes, run_on_postgresql};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// All files below `directory` whose name fits.
fn files(directory: &Path, fits: impl Fn(&str) -> bool + Copy) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, fits));
        } else if fits(path.file_name().unwrap().to_str().unwrap()) {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What follows `key` in a line of YAML, flow style included, up to the end of the word.
fn values(text: &str, key: &str) -> Vec<String> {
    let word = |rest: &str| {
        // A YAML anchor (`&name value`) names the value for elsewhere; an alias (`*name`) repeats one that was seen.
        let rest = rest.trim();
        let rest = if rest.starts_with('&') { rest.split_once(' ').map_or("", |(_, value)| value) } else { rest };
        let rest = if rest.starts_with('*') { "" } else { rest };
        rest.trim_matches(['"', '\'']).split([',', '}', ' ', '"', '#']).next().unwrap_or_default().to_owned()
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| Some(word(line.split_once(key)?.1)))
        .collect()
}

#[tokio::test]
async fn the_probes_and_the_scrape_of_the_chart_are_routes_of_the_service() {
    let routes: BTreeSet<String> =
        routes().await.into_iter().filter(|route| !route.refuses && route.method == "GET").map(|route| route.path).collect();
    let chart = Path::new(ROOT).join("gitops/charts/birthday-api");
    let templates: String =
        files(&chart, |name| name.ends_with(".yaml") || name.ends_with(".tpl")).iter().map(|path| read(path)).collect();
    let probed: Vec<String> =
        templates.split("httpGet:").skip(1).flat_map(|probe| values(&probe[..probe.find('\n').unwrap()], "path:")).collect();
    assert_eq!(probed.iter().map(String::as_str).collect::<BTreeSet<_>>(), ["/livez", "/readyz"].into());
    let scraped = values(&templates, "prometheus.io/path:");
    assert!(!scraped.is_empty());
    for path in probed.iter().chain(&scraped) {
        assert!(routes.contains(path), "{path} is not a route: {routes:?}");
    }
}

/// A reference to an image must not be able to mean another image tomorrow.
fn is_exact(image: &str) -> bool {
    if image.contains("@sha256:") || image.contains("$") || image.contains("{{") {
        // By digest; or put together elsewhere, where it is looked at.
        return true;
    }
    // Distroless has its release in the name and only variants as tags; the delivery workflow pins it by digest.
    if image == "gcr.io/distroless/cc-debian12:nonroot" {
        return true;
    }
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    tag.is_some_and(|tag| tag != "latest" && tag.contains(|c: char| c.is_ascii_digit()))
}

#[test]
fn an_image_without_an_exact_tag_or_digest_would_be_found() {
    for image in ["postgres", "postgres:", "postgres:latest", "registry:5000/birthday-api", "public.ecr.aws/x/y:stable"] {
        assert!(!is_exact(image), "{image}");
    }
    for image in ["postgres:18.1", "registry:5000/x:v1.2.3", "x@sha256:00", "${BASE}", "{{ .Values.image }}"] {
        assert!(is_exact(image), "{image}");
    }
}

#[test]
fn images_are_named_by_digest_or_exact_tag() {
    let root = Path::new(ROOT);
    let mut images = Vec::new();
    for path in files(&root.join("gitops"), |name| name.ends_with(".yaml") || name.ends_with(".tpl")) {
        images.extend(values(&read(&path), "image:").into_iter().map(|image| (path.clone(), image)));
    }
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("docker-compose") || name.starts_with("compose") {
            images.extend(values(&read(&path), "image:").into_iter().map(|image| (path.clone(), image)));
        } else if name.starts_with("Dockerfile") {
            let text = read(&path);
            let stages: Vec<&str> = text.lines().filter_map(|line| line.split(" AS ").nth(1)).map(str::trim).collect();
            let bases = text.lines().filter_map(|line| line.strip_prefix("FROM "));
            let bases = bases.filter_map(|line| line.split_whitespace().find(|word| !word.starts_with("--")));
            // A stage of the same file is not an image of somebody else; arguments are looked at where they get their value.
            images.extend(bases.filter(|base| !stages.contains(base)).map(|base| (path.clone(), base.to_owned())));
            let arguments = text.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('='));
            let arguments = arguments.filter(|(name, _)| name.ends_with("_IMAGE"));
            images.extend(arguments.map(|(_, value)| (path.clone(), value.trim_matches('"').to_owned())));
        }
    }
    // A key with an object under it holds no reference.
    let images: Vec<_> = images
        .into_iter()
        .filter(|(_, image)| !image.is_empty() && !image.starts_with('*') && image != "{" && !image.starts_with("{repository"))
        .collect();
    assert!(images.len() > 3, "{images:?}");
    for (path, image) in images {
        assert!(is_exact(&image), "{}: {image}", path.display());
    }
}

/// Statements that change a schema.
const DDL: [&str; 7] = ["create table", "create index", "create unique", "alter table", "drop table", "drop index", "truncate "];

#[test]
fn no_ddl_stands_outside_the_migrations() {
    let sources = files(&Path::new(ROOT).join("src"), |name| name.ends_with(".rs"));
    assert!(sources.len() > 20);
    for path in sources {
        let text = read(&path).to_lowercase();
        assert!(DDL.iter().all(|statement| !text.contains(statement)), "{}", path.display());
    }
    let migrations = files(&Path::new(ROOT).join("migrations"), |name| name.ends_with(".sql"));
    assert!(migrations.iter().all(|path| DDL.iter().any(|statement| read(path).contains(statement))), "the search finds DDL");
}

/// Regression: the service issues no DDL outside its migrations.
#[tokio::test]
async fn a_user_who_may_only_read_and_write_rows_is_enough_to_serve() {
    let server = postgresql::Server::start(&[]);
    let database = Database::on(server.url("postgres").parse().unwrap()).migrated();
    database.run("create role reader login password 'of rows'; grant select, insert, update, delete on birthdays to reader");
    let url = database.url_as("reader", "of rows");
    let app = TestApp::at(database, &url, "[default.databases.birthdays]\nmigrate = false");
    app.save("John", "1990-11-28").await;
    app.save("John", "1990-11-29").await;
    assert_eq!(app.message("John").await, "Hello, John! Your birthday is in 6 day(s)");
    assert_eq!(app.delete("/hello/John").await.status, 204);
    let refused = std::panic::catch_unwind(|| run_on_postgresql(&url, "create table another (id int)"));
    assert!(refused.is_err(), "the user may do more than the test wants");
}

/// The words are put together here, so that this file does not hold them.
#[test]
fn no_test_reads_the_clock_of_the_machine() {
    let forbidden = ["Utc", "Local", "SystemTime"].map(|clock| format!("{clock}::{}", "now"));
    let tests = files(&Path::new(ROOT).join("tests"), |name| name.ends_with(".rs"));
    assert!(tests.len() > 20);
    for path in tests {
        let text = read(&path);
        assert!(forbidden.iter().all(|reading| !text.contains(reading)), "{}", path.display());
    }
    // In the service one place may: the clock that `main` puts in.
    let sources = files(&Path::new(ROOT).join("src"), |name| name.ends_with(".rs"));
    let readers: Vec<PathBuf> =
        sources.into_iter().filter(|path| forbidden.iter().any(|reading| read(path).contains(reading))).collect();
    assert_eq!(readers, [Path::new(ROOT).join("src/clock.rs")]);
}
