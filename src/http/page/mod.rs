//! The web page at `/import`: follow an import, look at what failed, start a new one.
//!
//! The page is plain files under `assets`, part of the binary. It knows nothing that the API does not tell it, and
//! its users sign in with what they would send to the API; the files themselves are for everybody.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Responder,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, ETAG, EntityTag, Header as _, IfNoneMatch, LOCATION,
        REFERRER_POLICY,
    },
    middleware::DefaultHeaders,
    web::{self, ServiceConfig},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use include_dir::{Dir, File, include_dir};
use sha2::{Digest as _, Sha256};

/// Where the page is. Its links are relative, so a proxy may put it, with the API, under a folder of its own.
pub(super) const PATH: &str = "/import";

const INDEX: &str = "index.html";

/// The page asks nobody but the server it came from, runs nothing but its own files, and sits in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

static ASSETS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/http/page/assets");

/// The same for all files, so that a browser never mixes those of two releases for longer than a reload.
static ENTITY_TAG: LazyLock<EntityTag> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for file in ASSETS.files() {
        digest.update(file.path().as_os_str().as_encoded_bytes());
        digest.update(file.contents());
    }
    EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(digest.finalize()))
});

pub(super) fn configure(app: &mut ServiceConfig) {
    let headers = DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, POLICY)).add((REFERRER_POLICY, "no-referrer"));
    let page = web::scope(PATH)
        .wrap(headers)
        .service(readable("", index))
        .service(readable("/", without_slash))
        .service(readable("/{file}", file));
    app.service(page);
}

fn readable<H, Args>(path: &str, handler: H) -> Resource
where
    H: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler))
}

async fn index(request: HttpRequest) -> HttpResponse {
    answer(&request, INDEX)
}

async fn file(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    answer(&request, &name)
}

/// Its relative links would lead nowhere from there.
async fn without_slash() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "../import")).finish()
}

fn answer(request: &HttpRequest, name: &str) -> HttpResponse {
    let Some((file, content_type)) = ASSETS.get_file(name).and_then(|file| Some((file, content_type_of(file)?))) else {
        return HttpResponse::NotFound().insert_header(ContentType::plaintext()).body("404 Not Found");
    };
    let mut response = if has_it_already(request) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // Asked for anew each time, so that a new release shows at once.
    response.insert_header((CACHE_CONTROL, "no-cache")).insert_header((ETAG, ENTITY_TAG.to_string()));
    if has_it_already(request) {
        return response.finish();
    }
    response.content_type(content_type).body(file.contents())
}

fn content_type_of(file: &File<'_>) -> Option<&'static str> {
    match file.path().extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn has_it_already(request: &HttpRequest) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&ENTITY_TAG)),
        Err(_) => false,
    }
}
