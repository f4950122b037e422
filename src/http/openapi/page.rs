//! The page that shows the description to people: Swagger UI, out of this program.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, LOCATION, REFERRER_POLICY},
    web,
};
use utoipa_swagger_ui::Config;

use super::{super::answer, DOCUMENT_PATH};

/// Where the page is looked for, and where its files are.
pub(in crate::http) const PAGE_PATH: &str = "/api-docs";
pub(in crate::http) const PAGE_FILES: &str = "/api-docs/{file:.*}";
const PAGE: &str = "/api-docs/";
/// Nothing is loaded from elsewhere and nothing is sent elsewhere. Swagger UI sets styles of its own and draws its icons
/// from `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // It would otherwise send the description's address to a host that validates it.
    Arc::new(Config::from(DOCUMENT_PATH).validator_url("none").try_it_out_enabled(true))
});

/// The page's files go by names relative to its own, so it must end with a slash.
pub(in crate::http) async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, PAGE)).finish()
}

/// One file of the page; the page itself for an empty name.
pub(in crate::http) async fn page(file: web::Path<String>) -> HttpResponse {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(&file, Arc::clone(&CONFIG)) else {
        return answer::not_found();
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type(file.content_type);
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    response.body(file.bytes.into_owned())
}
