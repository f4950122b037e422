//! The pictures of imported people, fetched from a real server.

mod by_rocketchat;

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Bson, Document, doc};
use futures::{AsyncReadExt as _, TryStreamExt as _};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use mongodb::options::GridFsBucketOptions;
use serde_json::json;

use crate::{
    harness::*,
    pending_files::server::{FileServer, Reply},
};

const AVATARS: &str = "rocketchat_avatars";
const DOWNLOAD: &str = "/api/v1/downloadPendingAvatars";

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb([200, 10, 10])));
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

impl Workspace {
    async fn avatars(&self) -> Vec<Document> {
        self.collection(AVATARS).find(doc! {}).sort(doc! { "name": 1 }).await.unwrap().try_collect().await.unwrap()
    }

    async fn account(&self, id: &str) -> Document {
        self.collection("users").find_one(doc! { "_id": id }).await.unwrap().unwrap()
    }

    async fn avatar_bytes(&self, id: &str) -> Vec<u8> {
        let options = GridFsBucketOptions::builder().bucket_name(AVATARS.to_owned()).build();
        let bucket = self.database.gridfs_bucket(options);
        let mut stream = bucket.open_download_stream(Bson::String(id.to_owned())).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_square_pictures_and_those_who_have_one_keep_it() {
    let server = FileServer::start().await;
    let workspace = workspace().await.ready_for_imports().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    workspace.set("Accounts_AvatarSize", 120).await;
    let wide = server.put("/wide.png", Reply::File("image/png", picture(300, 90, ImageFormat::Png)));
    let page = server.put("/page", Reply::File("text/html", b"<html>Sign in</html>".to_vec()));
    let data = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(picture(40, 60, ImageFormat::Jpeg)));
    for (id, address) in [
        ("ann", wide.as_str()),
        ("bob", &data),
        ("cyd", &server.url("/missing")),
        ("dan", &page),
        ("eve", "http://169.254.169.254/eve.png"),
        ("own", &wide),
        ("odd", "//host/a.png"),
    ] {
        workspace.add_user(user(id).with("_pendingAvatarUrl", address)).await;
    }
    let theirs = doc! { "_id": "theirs", "userId": "own", "name": "own", "store": "GridFS:Avatars", "complete": true };
    workspace.collection(AVATARS).insert_one(theirs.clone()).await.unwrap();
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("RUST_LOG", "debug,mongodb=info")]).await;
    let answer = service.post(DOWNLOAD, &json!({})).await;
    assert_eq!(answer.told(), (200, r#"{"count":7,"success":true}"#));
    let operation = service.wait_for_state("done").await["operation"].clone();
    assert_eq!(operation["importerKey"], "pending-avatars");
    let count = json!({ "messages": 7, "total": 7, "completed": 3, "error": 4 });
    assert_eq!(operation["count"], count, "{operation}");

    let avatars = workspace.avatars().await;
    let names: Vec<&str> = avatars.iter().map(|avatar| avatar.get_str("name").unwrap()).collect();
    assert_eq!(names, ["ann", "bob", "own"]);
    for avatar in &avatars[..2] {
        let bytes = workspace.avatar_bytes(avatar.get_str("_id").unwrap()).await;
        assert_eq!(avatar.get_i32("size").unwrap(), i32::try_from(bytes.len()).unwrap());
        let shown = image::load_from_memory(&bytes).unwrap();
        assert_eq!((shown.width(), shown.height()), (120, 120), "{avatar}");
        let account = workspace.account(avatar.get_str("userId").unwrap()).await;
        assert_eq!(account.get_str("avatarETag").unwrap(), avatar.get_str("etag").unwrap());
        assert_eq!(account.get_str("avatarOrigin").unwrap(), "url");
        assert!(!account.contains_key("_pendingAvatarUrl"), "{account}");
    }
    assert_eq!(avatars[2], theirs);
    assert!(!workspace.account("own").await.contains_key("_pendingAvatarUrl"));
    for (id, reason) in
        [("cyd", "status 404"), ("dan", "no picture"), ("eve", "not fetched from"), ("odd", "not one of the web")]
    {
        assert!(workspace.account(id).await.contains_key("_pendingAvatarUrl"), "{id} can be tried again");
        let receipt = service.get_as_admin("/api/v1/import.receipt?count=50").await.json();
        let record = receipt["records"].as_array().unwrap().iter().find(|record| record["_id"] == id).unwrap();
        assert!(record["reason"].as_str().unwrap().contains(reason), "{record}");
    }
    assert_eq!(service.log_lines("s3cret"), [""; 0]);

    // Another picture of the same person takes the place of the first, which was ours.
    let other = server.put("/other.jpg", Reply::File("image/jpeg", picture(50, 50, ImageFormat::Jpeg)));
    workspace.update("users", "ann", doc! { "$set": { "_pendingAvatarUrl": other } }).await;
    let before = workspace.account("ann").await.get_str("avatarETag").unwrap().to_owned();
    assert_eq!(service.post(DOWNLOAD, &json!({})).await.json()["count"], 5);
    service.wait_for_state("done").await;
    let avatars = workspace.avatars().await;
    assert_eq!(avatars.len(), 3, "{avatars:?}");
    assert_ne!(workspace.account("ann").await.get_str("avatarETag").unwrap(), before);
    let files = workspace.collection("rocketchat_avatars.files").count_documents(doc! {}).await.unwrap();
    assert_eq!(files, 2, "the bytes of the first are gone");
}
