//! The headers for browsers with pages of other origins (CORS).

use actix_web::{
    Error, HttpResponse, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ContentType, HeaderMap, HeaderName,
            HeaderValue, ORIGIN, VARY,
        },
    },
    middleware::Next,
};

use crate::{
    domain::api::policy::CrossOrigin,
    http::{access::deadline::Deadline, app},
};

/// Rocket.Chat names these in every answer of the API, whether CORS is switched on or not.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, x-visitor-token, Authorization",
);
/// Resumable uploads, which have headers of their own.
const UPLOAD_PATHS: &str = "/api/v1/import.upload";
const ALLOWED_TO_UPLOADS: HeaderValue = HeaderValue::from_static(
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token, x-visitor-token, Authorization, \
     Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override",
);
const EXPOSED_TO_UPLOADS: HeaderValue = HeaderValue::from_static(
    "Location, Tus-Resumable, Tus-Version, Tus-Extension, Upload-Offset, Upload-Length, Upload-Expires, Import-Operation",
);
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, HEAD, PATCH");
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

const SWITCHED_OFF: &str = r#"CORS not enabled. Go to "Admin > General > REST Api" to enable it."#;
const NOT_LISTED: &str = "Invalid origin";

/// Answers `OPTIONS`, and puts the headers on every other answer. As in Rocket.Chat these are the same whatever is set:
/// a browser asks with `OPTIONS` first, because no page may send a login's headers unasked.
///
/// Source: `apps/meteor/server/api/v1/middlewares/cors.ts`.
pub(in crate::http) async fn cross_origin<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let is_upload = request.path().starts_with(UPLOAD_PATHS);
    if request.method() != Method::OPTIONS {
        let mut response = next.call(request).await?;
        if is_upload {
            response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_TO_UPLOADS);
        }
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        return Ok(response.map_into_left_body());
    }
    let permission = match permission_of(&request).await {
        Ok(permission) => permission,
        Err(refusal) => return Ok(request.into_response(refusal).map_into_right_body()),
    };
    let mut response = if request.match_pattern().is_some() && !is_upload {
        request.into_response(text(StatusCode::OK, "OK")).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    for (name, value) in permission {
        response.headers_mut().insert(name, value);
    }
    let headers = response.headers_mut();
    if is_upload && headers.contains_key(ACCESS_CONTROL_ALLOW_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_TO_UPLOADS);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_TO_UPLOADS);
    }
    Ok(response)
}

type Headers = Vec<(HeaderName, HeaderValue)>;

/// The answer to an `OPTIONS` request, with or without the headers of CORS.
async fn permission_of(request: &ServiceRequest) -> Result<Headers, HttpResponse> {
    let origin = given(request.headers(), ORIGIN);
    if origin.is_none() && given(request.headers(), ACCESS_CONTROL_REQUEST_METHOD).is_none() {
        return Ok(Headers::new());
    }
    let allowed = |origin| {
        vec![
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        ]
    };
    let rules = Deadline::from_now().bound(app(request.request()).repositories.api_policy.current()).await;
    match &rules.map_err(|error| error.error_response())?.cross_origin {
        CrossOrigin::None => Err(text(StatusCode::METHOD_NOT_ALLOWED, SWITCHED_OFF)),
        CrossOrigin::Any => Ok(allowed(ANY_ORIGIN)),
        CrossOrigin::Listed(origins) => {
            let listed = origin.filter(|origin| origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()));
            let origin = listed.ok_or_else(|| text(StatusCode::FORBIDDEN, NOT_LISTED))?;
            let mut headers = allowed(origin.clone());
            headers.push((VARY, HeaderValue::from_static("Origin")));
            Ok(headers)
        }
    }
}

/// The header, unless it is empty.
fn given(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    headers.get(name).filter(|value| !value.is_empty())
}

fn text(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).insert_header(ContentType::plaintext()).body(text)
}
