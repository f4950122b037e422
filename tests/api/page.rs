//! The files of the web page. How it behaves in a browser is tested in `tests/browser`.

use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;

use crate::harness::workspace;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The values of an attribute in this HTML.
fn values_of<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    html.match_indices(&begin)
        .map(|(at, _)| html[at + begin.len()..].split_once('"').expect("a closing quotation mark").0)
        .collect()
}

#[tokio::test]
async fn the_page_and_every_file_it_names_are_served_under_a_strict_policy() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let page = service.get("/import").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));

    let mut files = vec!["/import".to_owned()];
    for link in [values_of(&page.body, "src"), values_of(&page.body, "href")].concat() {
        files.push(format!("/{link}"));
    }
    assert!(files.len() >= 4, "{files:?}");
    // Modules name each other.
    let mut at = 0;
    while at < files.len() {
        let path = files[at].clone();
        let file = service.get(&path).await;
        assert_eq!(file.status, 200, "{path}");
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(file.header(name), Some(value), "{name} of {path}");
        }
        let content_type = match path.rsplit_once('.').map_or("html", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(file.header("content-type"), Some(content_type), "{path}");
        for name in file.body.split(" from './").skip(1).filter_map(|rest| rest.split_once('\'')) {
            let module = format!("/import/{}", name.0);
            if !files.contains(&module) {
                files.push(module);
            }
        }
        at += 1;
    }
    assert!(files.len() > 15, "the modules were followed: {files:?}");
}

#[tokio::test]
async fn the_page_holds_nothing_inline_and_names_no_other_host() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let page = service.get("/import").await.body;
    for forbidden in ["<style", " style=", " onclick=", " onload=", "javascript:", "://"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
    let style = service.get("/import/page.css").await.body;
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[tokio::test]
async fn a_browser_that_has_a_file_already_is_told_so_until_it_changes() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for path in ["/import", "/import/main.js"] {
        let tag = service.get(path).await.header("etag").unwrap().to_owned();
        for (asked, status) in [(tag.as_str(), 304), ("*", 304), ("\"of an older release\"", 200)] {
            let request = service.request(Method::GET, path).header("If-None-Match", asked);
            let answer = service.send(request).await;
            assert_eq!(answer.status, status, "{path} {asked}");
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
            assert_eq!(answer.body.is_empty(), status == 304);
        }
    }
}

#[tokio::test]
async fn what_is_no_file_of_the_page_is_not_found() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for path in ["/import/nothing.js", "/import/mod.rs", "/import/..%2fmod.rs", "/import/assets/main.js", "/imports"] {
        assert_eq!(service.get(path).await.told(), (404, "404 Not Found"), "{path}");
    }
    // People type a slash; its links would lead nowhere from there.
    let slash = service.send_raw(b"GET /import/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(
        slash.starts_with("HTTP/1.1 308 ") && slash.to_ascii_lowercase().contains("\r\nlocation: ../import\r\n"),
        "{slash}"
    );
    assert_eq!(service.get("/import/").await.status, 200);
    assert_eq!(service.send(service.request(Method::HEAD, "/import")).await.status, 200);
    assert_eq!(service.send(service.request(Method::POST, "/import")).await.status, 405);
}

/// The flags of the command line in these source files, comments left out.
fn flags_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            flags_in(&entry, found);
            continue;
        }
        let text = fs::read_to_string(&entry).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let flags = line.split("--").skip(1);
            let names = flags.map(|rest| rest.split(|sign: char| !sign.is_ascii_lowercase() && sign != '-').next());
            found.extend(names.flatten().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
}

#[tokio::test]
async fn every_flag_that_the_reader_of_users_names_is_a_field_of_the_page() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let mut flags = BTreeSet::new();
    flags_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/user_file"), &mut flags);
    // The page never names a format.
    assert!(flags.remove("format") && flags.len() >= 5, "{flags:?}");
    let script = service.get("/import/reading.js").await.body;
    let page = service.get("/import").await.body;
    // A rule of the run, whose field is beside the others of these.
    assert!(flags.remove("on-username-taken") && script.contains("labelOf('users-username-suffix')"));
    assert!(page.contains(" id=\"users-username-suffix\""));
    for flag in flags {
        let mut words = flag.split('-');
        let mut parameter = words.next().unwrap().to_owned();
        for word in words {
            parameter.push_str(&word[..1].to_uppercase());
            parameter.push_str(&word[1..]);
        }
        let field = script.split_once(&format!("  {parameter}: '")).and_then(|(_, rest)| rest.split('\'').next());
        let field = field.unwrap_or_else(|| panic!("reading.js has no field for --{flag}"));
        assert!(page.contains(&format!(" id=\"{field}\"")), "{field}");
    }
}
