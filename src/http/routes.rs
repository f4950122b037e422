//! Which path leads where, and the headers each answer carries.

use actix_web::{
    HttpResponse,
    http::header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ContentType, X_CONTENT_TYPE_OPTIONS,
        X_XSS_PROTECTION,
    },
    middleware::DefaultHeaders,
    web::{self, ServiceConfig},
};

use super::{health, import};

/// Rocket.Chat names these in every answer of the API, whether CORS is switched on or not.
///
/// Source: `apps/meteor/server/api/v1/middlewares/cors.ts`.
const ALLOWED_HEADERS: &str =
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, x-visitor-token, Authorization";

pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(
        web::scope("/api")
            .wrap(
                DefaultHeaders::new()
                    .add((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
                    .add((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)),
            )
            .service(
                web::resource("/v1/import.status")
                    .route(web::get().to(import::status))
                    .route(web::head().to(import::status))
                    .default_service(web::to(not_found)),
            )
            .default_service(web::to(not_found)),
    )
    .route(health::LIVENESS_PATH, web::get().to(health::live))
    .route(health::READINESS_PATH, web::get().to(health::ready))
    .default_service(web::to(not_found));
}

/// Source: `apps/meteor/app/cors/server/cors.ts`.
pub(super) fn headers_on_everything() -> DefaultHeaders {
    DefaultHeaders::new().add((X_XSS_PROTECTION, "1")).add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// An unknown path, or a known one with another method: the default of the router Rocket.Chat 8 is built on (Hono).
async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().insert_header(ContentType::plaintext()).body("404 Not Found")
}
