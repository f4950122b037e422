//! The store of Google: a token endpoint that checks signatures, and an object endpoint that keeps Google's rules of
//! resumable uploads.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::StatusCode,
    web::{self, Data},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};

use super::{door::Door, outage::Outage, *};

/// Made for these tests, and the key of nothing else.
const KEY: &str = include_str!("google_key.pem");
const ACCOUNT: &str = "chat@project.iam.gserviceaccount.com";
const GRAIN: usize = 256 * 1024;
/// Requests that a token is good for, so that it has to be renewed in the middle.
const TOKEN_USES: usize = 6;

#[derive(Debug, Clone, Default, PartialEq)]
struct Object {
    bytes: Vec<u8>,
    media_type: String,
    disposition: String,
}

#[derive(Debug, Default)]
struct Stored {
    tokens: HashMap<String, usize>,
    claims: HashSet<String>,
    /// Uploads under way, with the keys of their objects, and how many there ever were.
    sessions: HashMap<String, (String, Object)>,
    begun: usize,
    objects: BTreeMap<String, Object>,
    /// Whether the next part is taken to its half only, as Google may.
    takes_half: bool,
}

type Google = Mutex<Stored>;

/// Serves both interfaces for as long as the test runs.
fn serve() -> (u16, Arc<Google>) {
    let stored: Arc<Google> = Arc::new(Mutex::new(Stored { takes_half: true, ..Stored::default() }));
    let data = Data::from(Arc::clone(&stored));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(64 * 1024 * 1024))
            .route("/token", web::post().to(token))
            .route("/api/upload/storage/v1/b/files/o", web::post().to(begin))
            .route("/session/{id}", web::put().to(part))
            .route("/api/storage/v1/b/files/o/{key}", web::get().to(read))
            .route("/api/storage/v1/b/files/o/{key}", web::delete().to(remove))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
    let port = server.addrs()[0].port();
    tokio::spawn(server.run());
    (port, stored)
}

async fn token(stored: Data<Google>, form: web::Form<HashMap<String, String>>, request: HttpRequest) -> HttpResponse {
    let claim = form["assertion"].clone();
    let (signed, signature) = claim.rsplit_once('.').unwrap();
    let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let pair =
        RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap().secret_pkcs8_der()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key());
    let (head, claims) = signed.split_once('.').unwrap();
    let head: Value = serde_json::from_slice(&decoded(head)).unwrap();
    let claims: Value = serde_json::from_slice(&decoded(claims)).unwrap();
    let (from, until) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    let now = chrono::Utc::now().timestamp();
    let is_right = public.verify(signed.as_bytes(), &decoded(signature)).is_ok()
        && form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        && head == json!({ "alg": "RS256", "typ": "JWT" })
        && claims["iss"] == ACCOUNT
        && claims["scope"] == "https://www.googleapis.com/auth/devstorage.read_write"
        && claims["aud"] == format!("http://{}/token", request.connection_info().host())
        && (now - 60..=now + 5).contains(&from)
        && until - from == 3600;
    if !is_right {
        return HttpResponse::BadRequest().json(json!({ "error": "invalid_grant" }));
    }
    let mut stored = stored.lock().unwrap();
    stored.claims.insert(claim);
    let token = format!("t0ken-{}", stored.tokens.len());
    stored.tokens.insert(token.clone(), TOKEN_USES);
    HttpResponse::Ok().json(json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }))
}

/// Whether the request has a token that is good still.
fn is_admitted(stored: &mut Stored, request: &HttpRequest) -> bool {
    let header = request.headers().get("authorization").and_then(|header| header.to_str().ok()).unwrap_or_default();
    let uses = header.strip_prefix("Bearer ").and_then(|token| stored.tokens.get_mut(token));
    match uses {
        Some(uses) if *uses > 0 => {
            *uses -= 1;
            true
        }
        _ => false,
    }
}

async fn begin(
    stored: Data<Google>,
    query: web::Query<HashMap<String, String>>,
    body: web::Json<Value>,
    request: HttpRequest,
) -> HttpResponse {
    let mut stored = stored.lock().unwrap();
    if !is_admitted(&mut stored, &request) {
        return HttpResponse::Unauthorized().finish();
    }
    assert_eq!(query["uploadType"], "resumable");
    let object = Object {
        bytes: Vec::new(),
        media_type: body["contentType"].as_str().unwrap().to_owned(),
        disposition: body["contentDisposition"].as_str().unwrap().to_owned(),
    };
    stored.begun += 1;
    let id = format!("s3ssion-{}", stored.begun);
    let address = format!("http://{}/session/{id}?upload_id={id}", request.connection_info().host());
    stored.sessions.insert(id, (query["name"].clone(), object));
    HttpResponse::Ok().insert_header(("location", address)).finish()
}

async fn part(stored: Data<Google>, id: web::Path<String>, bytes: web::Bytes, request: HttpRequest) -> HttpResponse {
    let mut stored = stored.lock().unwrap();
    let takes_half = std::mem::take(&mut stored.takes_half);
    let Some((key, object)) = stored.sessions.get_mut(id.as_str()) else { return HttpResponse::NotFound().finish() };
    let range = request.headers().get("content-range").unwrap().to_str().unwrap();
    let (span, total) = range.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let is_in_place = match span.split_once('-') {
        Some((first, last)) => {
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            first == object.bytes.len() && last + 1 - first == bytes.len()
        }
        None => span == "*" && bytes.is_empty(),
    };
    let is_last = total.parse() == Ok(object.bytes.len() + bytes.len());
    if !is_in_place || (!is_last && (total != "*" || !bytes.len().is_multiple_of(GRAIN))) {
        return HttpResponse::BadRequest().finish();
    }
    if takes_half && bytes.len() > GRAIN {
        object.bytes.extend_from_slice(&bytes[..GRAIN]);
    } else {
        object.bytes.extend_from_slice(&bytes);
        if is_last {
            let (key, object) = (key.clone(), object.clone());
            stored.sessions.remove(id.as_str());
            stored.objects.insert(key, object);
            return HttpResponse::Ok().json(json!({}));
        }
    }
    let range = format!("bytes=0-{}", object.bytes.len() - 1);
    HttpResponse::build(StatusCode::PERMANENT_REDIRECT).insert_header(("range", range)).finish()
}

async fn read(stored: Data<Google>, key: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let mut stored = stored.lock().unwrap();
    if !is_admitted(&mut stored, &request) {
        return HttpResponse::Unauthorized().finish();
    }
    assert_eq!(request.query_string(), "alt=media");
    match stored.objects.get(key.as_str()) {
        Some(object) => HttpResponse::Ok().body(object.bytes.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}

async fn remove(stored: Data<Google>, key: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let mut stored = stored.lock().unwrap();
    if !is_admitted(&mut stored, &request) {
        return HttpResponse::Unauthorized().finish();
    }
    match stored.objects.remove(key.as_str()) {
        Some(_) => HttpResponse::NoContent().finish(),
        None => HttpResponse::NotFound().finish(),
    }
}

async fn workspace_of(server: &FileServer, key: &str) -> Workspace {
    let workspace = workspace_for(server).await;
    for (setting, value) in [
        ("FileUpload_Storage_Type", "GoogleCloudStorage"),
        ("FileUpload_GoogleStorage_Bucket", "files"),
        ("FileUpload_GoogleStorage_ProjectId", "project"),
        ("FileUpload_GoogleStorage_AccessId", ACCOUNT),
        ("FileUpload_GoogleStorage_Secret", key),
        ("uniqueID", "unique"),
    ] {
        workspace.set(setting, value).await;
    }
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_keeps_files_with_google_gets_them_there() {
    let (port, google) = serve();
    let server = FileServer::start().await;
    let workspace = workspace_of(&server, KEY).await;
    let files = FiveFiles::waiting_in(&workspace, &server).await;
    let (storage, tokens) = (format!("http://127.0.0.1:{port}/api"), format!("http://127.0.0.1:{port}/token"));
    let settings = [
        ("MONGO_URL", workspace.url.as_str()),
        ("GOOGLE_STORAGE_URL", &storage),
        ("GOOGLE_TOKEN_URL", &tokens),
        ("RUST_LOG", "debug,mongodb=info"),
    ];
    let service = Service::start(&settings).await;
    let uploads = files.fetched(&workspace, &service, "GoogleCloudStorage").await;
    let objects = google.lock().unwrap().objects.clone();
    for (upload, bytes) in &uploads {
        let object = &objects[&object_key(upload, "GoogleStorage")];
        assert!(object.bytes == *bytes, "{upload}: {} bytes", object.bytes.len());
        let kind = upload.get_str("type").unwrap();
        assert_eq!((object.media_type.as_str(), object.disposition.as_str()), (kind, "inline"));
    }
    assert_eq!(objects.len(), FiveFiles::STORED);
    let changed = &uploads[1].0;
    google.lock().unwrap().objects.get_mut(&object_key(changed, "GoogleStorage")).unwrap().bytes[7] ^= 1;
    assert_found_changed(&service, changed).await;

    // A picture of a person, and then another one, for which the first is removed.
    let pictures = [picture(300, 400, ImageFormat::Png), picture(500, 500, ImageFormat::Png)];
    workspace.add_user(user("ann")).await;
    for (number, bytes) in pictures.into_iter().enumerate() {
        let url = server.put(&format!("/ann{number}"), Reply::File("image/png", bytes));
        workspace.update("users", "ann", doc! { "$set": { "_pendingAvatarUrl": url } }).await;
        assert_eq!(service.post("/api/v1/downloadPendingAvatars", &json!({})).await.status, 200);
        service.wait_for_state("done").await;
        let avatars = workspace.collection("rocketchat_avatars");
        let avatar: Document = avatars.find_one(doc! { "userId": "ann" }).await.unwrap().unwrap();
        let key = avatar.get_document("GoogleStorage").unwrap().get_str("path").unwrap().to_owned();
        assert!(key.starts_with("unique/avatars/ann/"), "{key}");
        let objects = google.lock().unwrap().objects.clone();
        let stored = image::load_from_memory(&objects[&key].bytes).unwrap();
        assert_eq!((stored.width(), stored.height()), (200, 200));
        assert_eq!(objects.keys().filter(|key| key.contains("/avatars/")).count(), 1);
    }

    let (tokens, claims) = {
        let stored = google.lock().unwrap();
        (stored.tokens.len(), stored.claims.clone())
    };
    assert!(tokens > 1, "a token that is used up is renewed");
    for secret in ["t0ken", "s3ssion", KEY.lines().nth(1).unwrap()].into_iter().chain(claims.iter().map(String::as_str))
    {
        assert_eq!(service.log_lines(secret), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_google_does_not_know_costs_no_file() {
    let (port, google) = serve();
    let server = FileServer::start().await;
    let workspace = workspace_of(&server, "no key").await;
    let url = server.put("/a", Reply::File("text/plain", b"content".to_vec()));
    workspace.add_messages(vec![waiting("m", "open", &url, "a.txt", 7)]).await;
    let (storage, tokens) = (format!("http://127.0.0.1:{port}/api"), format!("http://127.0.0.1:{port}/token"));
    let settings =
        [("MONGO_URL", workspace.url.as_str()), ("GOOGLE_STORAGE_URL", &storage), ("GOOGLE_TOKEN_URL", &tokens)];
    let service = Service::start(&settings).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let failed = service.wait_for_state("error").await;
    let problem = failed["operation"]["import"]["problem"].as_str().unwrap();
    assert!(problem.contains("FileUpload_GoogleStorage_Secret"), "{problem}");

    workspace.set("FileUpload_GoogleStorage_Secret", KEY).await;
    workspace.set("FileUpload_GoogleStorage_AccessId", "other@project.iam.gserviceaccount.com").await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    service.logged("The store GoogleCloudStorage gave no token, and answered with status 400").await;
    assert!(workspace.message_of("m").await.get_bool("_hidden").unwrap());
    workspace.set("FileUpload_GoogleStorage_AccessId", ACCOUNT).await;
    service.wait_for_state("done").await;
    assert_eq!(google.lock().unwrap().objects.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn google_away_for_a_while_costs_no_file() {
    let (port, google) = serve();
    let mut door = Door::to(port).await;
    let server = FileServer::start().await;
    let workspace = workspace_of(&server, KEY).await;
    let outage = Outage::of(&workspace, &server).await;
    let (storage, tokens) = (format!("{}/api", door.url()), format!("{}/token", door.url()));
    let mut settings = Outage::settings(&workspace);
    settings.extend([("GOOGLE_STORAGE_URL", storage.as_str()), ("GOOGLE_TOKEN_URL", &tokens)]);
    let service = Service::start(&settings).await;
    outage.begins(&workspace, &service).await;
    door.shut().await;
    outage.lasts(&service, "The store GoogleCloudStorage cannot be reached").await;
    door.open().await;
    outage.is_over(&workspace, &service).await;
    let objects = google.lock().unwrap().objects.clone();
    for name in Outage::names() {
        let key = object_key(&workspace.upload_of(&name).await, "GoogleStorage");
        assert!(objects[&key].bytes == outage.content, "{name}");
    }
    assert_eq!(objects.len(), Outage::FILES);
}
