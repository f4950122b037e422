//! Pictures set by Rocket.Chat: the requests to its API, and the outcomes of its answers.

use std::sync::{Arc, Mutex};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{self, Data},
};

use super::*;

const TOKEN: &str = "s3tter-t0ken";

/// What came, by account, and how many requests are refused before: for the rate limit, and as if Rocket.Chat were starting.
#[derive(Debug, Default)]
struct Api {
    pictures: Vec<(String, String, Vec<u8>)>,
    too_many: usize,
    starting: usize,
}

/// Serves `users.setAvatar` as Rocket.Chat does, for as long as the test runs.
fn serve(api: Api) -> (u16, Arc<Mutex<Api>>) {
    let api = Arc::new(Mutex::new(api));
    let data = Data::from(Arc::clone(&api));
    let server = HttpServer::new(move || {
        App::new().app_data(data.clone()).route("/chat/api/v1/users.setAvatar", web::post().to(set_avatar))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
    let port = server.addrs()[0].port();
    tokio::spawn(server.run());
    (port, api)
}

async fn set_avatar(api: Data<Mutex<Api>>, body: web::Bytes, request: HttpRequest) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    if (header("x-user-id"), header("x-auth-token")) != ("setter".to_owned(), TOKEN.to_owned()) {
        return HttpResponse::Unauthorized()
            .json(json!({ "status": "error", "message": "You must be logged in to do this." }));
    }
    let mut api = api.lock().unwrap();
    if api.too_many > 0 {
        api.too_many -= 1;
        let reset = chrono::Utc::now().timestamp_millis() + 300;
        return HttpResponse::TooManyRequests()
            .insert_header(("x-ratelimit-reset", reset.to_string()))
            .json(json!({ "success": false, "error": "Error, too many requests. [error-too-many-requests]" }));
    }
    if api.starting > 0 {
        api.starting -= 1;
        return HttpResponse::BadGateway().body("starting");
    }
    let parts = parts_of(&header("content-type"), &body);
    let [(user_head, user), (image_head, image)] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    assert!(user_head.contains("name=\"userId\""), "{user_head}");
    assert!(image_head.contains("name=\"image\"") && image_head.contains("filename="), "{image_head}");
    let user = String::from_utf8(user.clone()).unwrap();
    if user == "bob" {
        let error = "Change avatar is not allowed [error-not-allowed]";
        return HttpResponse::BadRequest().json(json!({ "success": false, "error": error }));
    }
    api.pictures.push((user, image_head.clone(), image.clone()));
    HttpResponse::Ok().json(json!({ "success": true }))
}

/// The head and the content of every part of a form.
fn parts_of(content_type: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let boundary = format!("--{}", content_type.split_once("boundary=").unwrap().1);
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let mut parts = Vec::new();
    let mut rest = &body[boundary.len()..];
    while let Some(end) = find(rest, boundary.as_bytes()) {
        // Without the line ends before the boundary and after it.
        let part = &rest[2..end - 2];
        let head = find(part, b"\r\n\r\n").unwrap();
        parts.push((String::from_utf8(part[..head].to_vec()).unwrap(), part[head + 4..].to_vec()));
        rest = &rest[end + boundary.len()..];
    }
    parts
}

fn site_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}/chat/")
}

/// The settings of a service that has Rocket.Chat set pictures.
fn settings<'a>(workspace: &'a Workspace, site: &'a str, token: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("MONGO_URL", workspace.url.as_str()),
        ("AVATAR_API_URL", site),
        ("AVATAR_API_USER_ID", "setter"),
        ("AVATAR_API_TOKEN", token),
        ("RUST_LOG", "debug,mongodb=info"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_through_rocket_chats_own_api_where_that_is_wanted() {
    let (port, api) = serve(Api { too_many: 2, starting: 1, ..Api::default() });
    let server = FileServer::start().await;
    let workspace = workspace().await.ready_for_imports().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    workspace.set("Accounts_AvatarSize", 120).await;
    let wide = server.put("/wide.png", Reply::File("image/png", picture(300, 90, ImageFormat::Png)));
    for id in ["ann", "bob", "cyd"] {
        workspace.add_user(user(id).with("_pendingAvatarUrl", wide.as_str())).await;
    }
    let site = site_at(port);

    // Nobody loses a picture by a token that is wrong.
    let service = Service::start(&settings(&workspace, &site, "wr0ng-t0ken")).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let failed = service.wait_for_state("error").await;
    let problem = failed["operation"]["import"]["problem"].as_str().unwrap();
    assert!(problem.contains("AVATAR_API_TOKEN"), "{problem}");
    assert!(workspace.account("ann").await.contains_key("_pendingAvatarUrl"));
    assert_eq!(service.log_lines("wr0ng-t0ken"), [""; 0]);
    drop(service);

    let service = Service::start(&settings(&workspace, &site, TOKEN)).await;
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.status, 200);
    let operation = service.wait_for_state("done").await["operation"].clone();
    let count = json!({ "messages": 3, "total": 3, "completed": 2, "error": 1 });
    assert_eq!(operation["count"], count, "{operation}");
    let sent = {
        let mut api = api.lock().unwrap();
        assert_eq!((api.too_many, api.starting), (0, 0));
        api.pictures.sort();
        // The pause after the 502 cuts off a request that is on its way. It is sent again, with the same picture.
        api.pictures.dedup();
        std::mem::take(&mut api.pictures)
    };
    assert_eq!(sent.iter().map(|(user, ..)| user.as_str()).collect::<Vec<_>>(), ["ann", "cyd"]);
    for (user, head, bytes) in &sent {
        assert!(head.to_ascii_lowercase().contains("content-type: image/jpeg"), "{head}");
        let shown = image::load_from_memory(bytes).unwrap();
        assert_eq!((shown.width(), shown.height()), (120, 120));
        assert!(!workspace.account(user).await.contains_key("_pendingAvatarUrl"));
    }
    // Rocket.Chat stores them, so nothing of ours is in its collection.
    assert_eq!(workspace.avatars().await, []);
    let address = format!("/api/v1/import.receipt?operationId={}&count=0", operation["_id"].as_str().unwrap());
    let receipt = service.get_as_admin(&address).await.body;
    assert!(receipt.contains("bob: Rocket.Chat refused the picture: Change avatar is not allowed"), "{receipt}");
    assert!(workspace.account("bob").await.contains_key("_pendingAvatarUrl"));
    assert_eq!(service.log_lines(TOKEN), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_this_service_cannot_use_matters_to_no_picture_that_rocket_chat_sets() {
    let (port, api) = serve(Api::default());
    let server = FileServer::start().await;
    let workspace = workspace().await.ready_for_imports().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    let url = server.put("/ann.png", Reply::File("image/png", picture(50, 50, ImageFormat::Png)));
    let site = site_at(port);
    let service = Service::start(&settings(&workspace, &site, TOKEN)).await;
    // In the database nothing is made ready, and without FILE_STORE_FOLDER there is no way to a folder.
    for (number, store) in ["GridFS", "FileSystem"].into_iter().enumerate() {
        workspace.set("FileUpload_Storage_Type", store).await;
        workspace.add_user(user(&format!("ann{number}")).with("_pendingAvatarUrl", url.as_str())).await;
        assert_eq!(service.post(DOWNLOAD, &json!({})).await.json()["count"], 1);
        let operation = service.wait_for_state("done").await["operation"].clone();
        assert_eq!(operation["count"]["completed"], 1, "{store}: {operation}");
        assert_eq!(api.lock().unwrap().pictures.len(), number + 1, "{store}");
    }
    let collections = workspace.database.list_collection_names().await.unwrap();
    assert!(!collections.iter().any(|name| name.starts_with("rocketchat_avatars.")), "{collections:?}");
}
