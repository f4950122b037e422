//! Which path leads where, and the headers each answer carries.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder,
    http::header::{X_CONTENT_TYPE_OPTIONS, X_XSS_PROTECTION},
    middleware::{DefaultHeaders, from_fn},
    web::{self, ServiceConfig},
};

use super::{answer, guards, health, import, openapi, overload, page, unread_body};

pub(super) fn configure(app: &mut ServiceConfig) {
    let api = web::scope("/api")
        .wrap(from_fn(overload::admit))
        .wrap(from_fn(guards::tell_rate_limit))
        .wrap(from_fn(unread_body::read_on))
        .wrap(from_fn(guards::cross_origin))
        .service(get("/v1/import.status", import::status))
        .service(get("/v1/import.status.stream", import::status_stream))
        .service(post("/v1/import.new", import::new))
        .service(post("/v1/import.addUsers", import::add_users))
        .service(post("/v1/import.run", import::run))
        .service(post("/v1/import.clear", import::clear))
        .service(post("/v1/import.resume", import::resume))
        .service(get("/v1/import.errors", import::errors))
        .service(get("/v1/importers.list", import::list_importers))
        .service(get("/v1/getCurrentImportOperation", import::current_operation))
        .service(get("/v1/getLatestImportOperations", import::latest_operations))
        .service(get("/v1/getImportProgress", import::progress))
        .service(get("/v1/getImportFileData", import::selection))
        .default_service(web::to(not_found));
    app.service(api)
        .configure(page::configure)
        .service(get(openapi::DOCUMENT_PATH, openapi::document))
        .service(get(openapi::PAGE_PATH, openapi::to_page))
        .service(get(openapi::PAGE_FILES, openapi::page))
        .route(health::LIVENESS_PATH, web::get().to(health::live))
        .route(health::READINESS_PATH, web::get().to(health::ready))
        .default_service(web::to(not_found));
}

fn get<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(not_found))
}

fn post<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path).route(web::post().to(handler)).default_service(web::to(not_found))
}

/// Source: `apps/meteor/app/cors/server/cors.ts`.
pub(super) fn headers_on_everything() -> DefaultHeaders {
    DefaultHeaders::new().add((X_XSS_PROTECTION, "1")).add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

async fn not_found() -> HttpResponse {
    answer::not_found()
}
