//! Which path leads where, and the headers each answer carries.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder,
    http::{
        Method,
        header::{X_CONTENT_TYPE_OPTIONS, X_XSS_PROTECTION},
    },
    middleware::{DefaultHeaders, from_fn},
    web::{self, ServiceConfig},
};

use crate::{
    http::{
        access::authentication::Uncounted,
        answer, health, import,
        middleware::{cross_origin::cross_origin, rate_limit},
        openapi, overload, page,
    },
    repository::setup::Work,
};

/// Tells a client of the API that it speaks to this service, which takes idempotency keys, and not to Rocket.Chat.
const SERVICE: (&str, &str) = ("x-import-service", "rocketchat-import");

pub(super) fn configure(app: &mut ServiceConfig) {
    let api = web::scope("/api")
        .wrap(from_fn(overload::admit))
        .wrap(from_fn(rate_limit::tell_rate_limit))
        .wrap(from_fn(cross_origin))
        .wrap(DefaultHeaders::new().add(SERVICE))
        .service(get("/v1/import.status", import::status))
        .service(get("/v1/import.status.stream", import::status_stream))
        .service(post("/v1/import.new", import::new).app_data(Work::Import))
        .service(post("/v1/import.addUsers", import::add_users).app_data(Work::Import))
        .service(post("/v1/import.run", import::run).app_data(Work::Import))
        .service(post("/v1/startImport", import::start_import).app_data(Work::ImportFile))
        .service(post("/v1/import.clear", import::clear).app_data(Work::Import))
        .service(post("/v1/import.resume", import::resume).app_data(Work::Import))
        .service(post("/v1/uploadImportFile", import::upload::upload_import_file).app_data(Work::ImportFile))
        .service(
            post("/v1/downloadPublicImportFile", import::upload::download_public_import_file)
                .app_data(Work::ImportFile),
        )
        .service(post("/v1/downloadPendingFiles", import::download_files).app_data(Work::ImportFile))
        .service(post("/v1/downloadPendingAvatars", import::download_avatars).app_data(Work::ImportFile))
        .service(uploads().app_data(Work::StoreFile))
        .service(one_upload().app_data(Work::StoreFile).app_data(Uncounted))
        .service(get("/v1/import.errors", import::errors).app_data(Work::ReadStaged))
        .service(get("/v1/import.receipt", import::receipt))
        .service(get("/v1/import.report", import::report))
        .service(get("/v1/import.template", import::users_template))
        .service(post("/v1/import.check", import::check))
        .service(post("/v1/import.source", import::source).app_data(Work::KeepSource))
        .service(post("/v1/import.deactivateMissing", import::missing).app_data(Work::Deactivate))
        .service(get("/v1/import.leavers", import::leavers).app_data(Work::KeepSource))
        .service(get("/v1/import.verify", import::verify_import))
        .service(get("/v1/importers.list", import::list_importers))
        .service(get("/v1/getCurrentImportOperation", import::current_operation))
        .service(get("/v1/getLatestImportOperations", import::latest_operations))
        .service(get("/v1/getImportProgress", import::progress))
        .service(get("/v1/getImportFileData", import::selection).app_data(Work::ReadStaged))
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

fn uploads() -> Resource {
    web::resource(import::upload::UPLOADS)
        .route(web::method(Method::OPTIONS).to(import::upload::rules))
        .route(web::post().to(import::upload::announce))
        .route(web::get().to(import::upload::uploads))
        .route(web::head().to(import::upload::uploads))
        .default_service(web::to(not_found))
}

fn one_upload() -> Resource {
    web::resource(import::upload::UPLOAD)
        .route(web::method(Method::OPTIONS).to(import::upload::rules))
        .route(web::head().to(import::upload::look_at))
        .route(web::patch().to(import::upload::add))
        .route(web::delete().to(import::upload::remove))
        .route(web::post().to(import::upload::overridden))
        .default_service(web::to(not_found))
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
