//! A server that speaks `WebDAV`.

use std::process::{Child, Command, Stdio};

use super::{outage::Outage, *};

/// A server that speaks `WebDAV` over a folder.
pub(super) struct Dav {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Dav {
    const PROGRAM: &str = "
import sys, logging
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp
users = {'*': {'ann': {'password': 's3cret dav'}}}
app = WsgiDAVApp({'provider_mapping': {'/dav files': sys.argv[2]}, 'simple_dc': {'user_mapping': users}, 'http_authenticator': {'accept_digest': False, 'default_to_digest': False}, 'logging': {'enable': False}})
wsgi.Server(('127.0.0.1', int(sys.argv[1])), app).start()
";

    /// User and password.
    pub(super) const LOGIN: &str = "ann:s3cret dav";

    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dav = Self { process: Self::process(port, &folder), port, folder };
        dav.answers().await;
        dav
    }

    fn process(port: u16, folder: &tempfile::TempDir) -> Child {
        let python = std::env::var(PYTHON_VARIABLE).expect("STORES_PYTHON names a Python with WsgiDAV");
        let mut command = Command::new(python);
        command.args(["-c", Self::PROGRAM, &port.to_string()]).arg(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn answers(&self) {
        let url = format!("http://127.0.0.1:{}", self.port);
        eventually("the store answers", PATIENCE, async || reqwest::get(&url).await.is_ok()).await;
    }

    fn stop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }

    async fn start_again(&mut self) {
        self.process = Self::process(self.port, &self.folder);
        self.answers().await;
    }

    /// The address of the folder of the workspace's files.
    pub(super) fn files_url(&self) -> String {
        format!("http://127.0.0.1:{}/dav%20files/chat/files%20of%20ours/", self.port)
    }

    pub(super) async fn workspace(&self, server: &FileServer) -> Workspace {
        let workspace = workspace_for(server).await;
        for (setting, value) in [
            ("FileUpload_Storage_Type", "Webdav"),
            ("FileUpload_Webdav_Server_URL", &format!("http://127.0.0.1:{}/dav files", self.port)),
            ("FileUpload_Webdav_Upload_Folder_Path", "/chat/files of ours"),
            ("FileUpload_Webdav_Username", "ann"),
            ("FileUpload_Webdav_Password", "s3cret dav"),
        ] {
            workspace.set(setting, value).await;
        }
        workspace
    }

    /// The bytes of a file as a plain client finds them, all or a range of them.
    async fn bytes_of(&self, upload: &Document, range: Option<&str>) -> Vec<u8> {
        let path = upload.get_document("Webdav").unwrap().get_str("path").unwrap();
        assert_eq!(path, format!("/chat/files of ours/{}", upload.get_str("_id").unwrap()));
        let url = format!("http://127.0.0.1:{}/dav files{path}", self.port);
        let mut request = reqwest::Client::new().get(url).basic_auth("ann", Some("s3cret dav"));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    fn files_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("chat/files of ours")
    }

    fn files(&self) -> usize {
        fs::read_dir(self.files_folder()).map_or(0, Iterator::count)
    }
}

impl Drop for Dav {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with WsgiDAV and cheroot: STORES_PYTHON names it"]
async fn a_workspace_that_keeps_files_on_a_webdav_server_gets_them_there() {
    let mut dav = Dav::start().await;
    let server = FileServer::start().await;
    let workspace = dav.workspace(&server).await;
    let files = FiveFiles::waiting_in(&workspace, &server).await;
    let service = workspace.serve().await;
    let mut uploads = files.fetched(&workspace, &service, "Webdav").await;
    for (upload, bytes) in &uploads {
        assert!(dav.bytes_of(upload, None).await == *bytes, "{upload}");
        if bytes.len() > 8_000_000 {
            assert!(dav.bytes_of(upload, Some("bytes=7000000-7999999")).await == bytes[7_000_000..8_000_000]);
        }
    }
    assert_eq!(dav.files(), FiveFiles::STORED);
    let (changed, bytes) = &mut uploads[1];
    bytes[7] ^= 1;
    fs::write(dav.files_folder().join(changed.get_str("_id").unwrap()), bytes).unwrap();
    assert_found_changed(&service, changed).await;

    // A picture of a person.
    let url = server.put("/ann", Reply::File("image/png", picture(300, 400, ImageFormat::Png)));
    workspace.add_user(user("ann").with("_pendingAvatarUrl", url.as_str())).await;
    assert_eq!(service.post("/api/v1/downloadPendingAvatars", &json!({})).await.status, 200);
    service.wait_for_state("done").await;
    let avatars = workspace.collection("rocketchat_avatars");
    let avatar: Document = avatars.find_one(doc! { "userId": "ann" }).await.unwrap().unwrap();
    assert_eq!(avatar.get_str("store").unwrap(), "Webdav:Avatars");
    let avatar = image::load_from_memory(&dav.bytes_of(&avatar, None).await).unwrap();
    assert_eq!((avatar.width(), avatar.height()), (200, 200));
    assert_eq!(service.log_lines("s3cret"), [""; 0]);

    // A store that is away is no lost file.
    dav.stop();
    let operation = service.status().await.json()["operation"]["_id"].as_str().unwrap().to_owned();
    let lines = service.verified(&operation).await;
    assert_eq!(lines[0]["difference"], "unreadFile", "{lines:?}");
    assert_eq!(lines[0]["reason"], "The store Webdav cannot be reached.");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants a Python with WsgiDAV and cheroot: STORES_PYTHON names it"]
async fn a_webdav_server_that_is_away_for_a_while_costs_no_file() {
    let mut dav = Dav::start().await;
    let server = FileServer::start().await;
    let workspace = dav.workspace(&server).await;
    let outage = Outage::of(&workspace, &server).await;
    let service = Service::start(&Outage::settings(&workspace)).await;
    outage.begins(&workspace, &service).await;
    dav.stop();
    outage.lasts(&service, "The store Webdav").await;
    dav.start_again().await;
    outage.is_over(&workspace, &service).await;
    assert_eq!(dav.files(), Outage::FILES);
    for name in Outage::names() {
        assert!(dav.bytes_of(&workspace.upload_of(&name).await, None).await == outage.content, "{name}");
    }
}
