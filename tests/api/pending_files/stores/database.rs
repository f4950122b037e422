//! The database as the store.

use super::{outage::Outage, *};

/// A service that fetches files into a database of its own.
struct Fetching {
    service: Service,
    outage: Outage,
    workspace: Workspace,
    _server: FileServer,
    mongo: Mongo,
}

impl Fetching {
    async fn begin() -> Self {
        let mongo = Mongo::own();
        let server = FileServer::start().await;
        let workspace = prepared(Workspace::on(&mongo).await.ready_for_imports().await, &server).await;
        let outage = Outage::of(&workspace, &server).await;
        let service = Service::start(&Outage::settings(&workspace)).await;
        outage.begins(&workspace, &service).await;
        Self { service, outage, workspace, _server: server, mongo }
    }
}

async fn assert_whole(outage: &Outage, workspace: &Workspace) {
    for name in Outage::names() {
        let upload = workspace.upload_of(&name).await;
        let id = upload.get_str("_id").unwrap();
        assert!(workspace.bytes_of(id).await == outage.content, "{name}");
    }
    for collection in ["rocketchat_uploads.files", "rocketchat_import_service_uploads"] {
        assert_eq!(workspace.count_of(collection).await, Outage::FILES as u64, "{collection}");
    }
    let chunks = workspace.collection("rocketchat_uploads.chunks").distinct("files_id", doc! {}).await.unwrap();
    assert_eq!(chunks.len(), Outage::FILES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_while_costs_no_file() {
    let Fetching { mongo, workspace, outage, service, .. } = &Fetching::begin().await;
    mongo.freeze();
    service.logged("pauses for").await;
    tokio::time::sleep(Outage::AWAY_FOR).await;
    mongo.thaw();
    outage.is_over(workspace, service).await;
    assert_whole(outage, workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_steps_down_costs_no_file() {
    let Fetching { workspace, outage, service, .. } = &Fetching::begin().await;
    let step_down = doc! { "replSetStepDown": 30, "secondaryCatchUpPeriodSecs": 0, "force": true };
    // Whether it says so before it closes its connections is up to the server.
    workspace.database.client().database("admin").run_command(step_down).await.ok();
    service.logged("pauses for").await;
    outage.is_over(workspace, service).await;
    assert_whole(outage, workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_into_the_database_as_slowly_as_the_rate_says() {
    const MEBIBYTE: usize = 1024 * 1024;
    let server = FileServer::start().await;
    let workspace = workspace_for(&server).await;
    let content = noise(5 * MEBIBYTE, 3);
    let url = server.put("/a", Reply::File("application/octet-stream", content.clone()));
    workspace.add_messages(vec![waiting("m", "open", &url, "a.bin", content.len())]).await;
    let service = Service::start(&[("MONGO_URL", &workspace.url), ("UPLOAD_RATE", "1")]).await;
    let began = std::time::Instant::now();
    service.fetch_files(1).await;
    assert!(began.elapsed() > Duration::from_secs(4), "it took {:?}", began.elapsed());
    let upload = workspace.upload_of("m").await;
    assert!(workspace.bytes_of(upload.get_str("_id").unwrap()).await == content);
}
