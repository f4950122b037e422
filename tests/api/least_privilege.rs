//! The service as a database user that may do what the service does and nothing else, on a MongoDB that asks for users.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{Bson, Document, doc};
use mongodb::{Client, error::ErrorKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Finished, Mongo, Receiver, Reply, Service, Workspace, eventually, operation, run, staged_users, user},
    pending_files::server::{FileServer, Reply as FileReply},
};

/// With characters that a connection string has to hide.
const PASSWORD: &str = "s3cret@/importer";
const PASSWORD_IN_A_URL: &str = "s3cret%40%2Fimporter";
const ROLE_FILE: &str = include_str!("../../deploy/mongodb/role.json");
const UNAUTHORIZED: i32 = 13;
const PATIENCE: Duration = Duration::from_secs(60);

/// A workspace's connection string for the service's own user.
fn service_url(workspace: &Workspace) -> String {
    with_credentials(workspace, "importer", PASSWORD_IN_A_URL)
}

fn with_credentials(workspace: &Workspace, name: &str, password: &str) -> String {
    let (_, servers) = workspace.url.split_once('@').unwrap();
    format!("mongodb://{name}:{password}@{}", servers.replace("&authSource=admin", ""))
}

/// `create-database-user` by the administrator.
async fn make_user(workspace: &Workspace, more: &[(&str, &str)]) -> Finished {
    let url = service_url(workspace);
    let mut settings = vec![("ADMIN_MONGO_URL", workspace.url.as_str()), ("MONGO_URL", &url)];
    settings.extend(more);
    let finished = run(&["create-database-user"], &settings).await;
    assert_tells_no_secret(&finished.output, workspace);
    assert_tells_no_secret(&finished.errors, workspace);
    finished
}

fn assert_tells_no_secret(text: &str, workspace: &Workspace) {
    let (credentials, _) = workspace.url.split_once('@').unwrap();
    let (_, administrators) = credentials.rsplit_once(':').unwrap();
    for secret in [PASSWORD, PASSWORD_IN_A_URL, administrators] {
        assert!(!text.contains(secret), "a secret in {text}");
    }
}

/// A workspace, and the service over it as its own user.
async fn served() -> (Workspace, Service) {
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    let finished = make_user(&workspace, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    service.ready().await;
    (workspace, service)
}

#[tokio::test]
async fn the_service_does_all_its_work_as_a_user_that_may_do_nothing_else() {
    let (workspace, service) = served().await;
    assert!(!service.log_lines("applied migration").is_empty());
    workspace.add_user(user("user3")).await;
    workspace.add_user(user("user7")).await;
    let mut events = service.events().await;
    service.stage(&staged_users(0..60)).await;
    assert_eq!(service.get_as_admin("/api/v1/getImportFileData").await.status, 200);
    service.run_import().await;
    let status = service.wait_for_state("done").await;
    assert_eq!(
        (&status["operation"]["count"]["completed"], &status["operation"]["count"]["error"]),
        (&58.into(), &2.into())
    );
    events.until(|event| event.state() == "done").await;
    assert_eq!(service.log_lines("no change stream"), [""; 0]);
    let failed = service.get_as_admin("/api/v1/import.errors").await.json();
    assert_eq!(failed["total"], 2, "{failed}");

    workspace.collection("users").delete_one(doc! { "_id": "user7" }).await.unwrap();
    let resumed = service.post("/api/v1/import.resume", &json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    service.run_import().await;
    let status = service.wait_for_state("done").await;
    assert_eq!(
        (&status["operation"]["count"]["completed"], &status["operation"]["count"]["error"]),
        (&1.into(), &1.into())
    );
    assert_eq!(workspace.count_imported().await, 60);

    for path in ["importers.list", "getCurrentImportOperation", "getLatestImportOperations", "getImportProgress"] {
        let answer = service.get_as_admin(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    assert_eq!(service.post("/api/v1/import.clear", &json!({})).await.status, 200);
    workspace.left_staged(0).await;
    assert_eq!(service.log_lines("refused"), [""; 0]);
    assert_eq!(service.log_lines("ERROR"), [""; 0]);
    for line in service.log_lines("") {
        assert_tells_no_secret(&line, &workspace);
    }
}

#[tokio::test]
async fn that_user_may_do_what_a_webhook_takes() {
    let receiver = Receiver::start(&[Reply::Status("500 Internal Server Error"), Reply::Status("200 OK")]);
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let settings = [("MONGO_URL", service_url(&workspace)), ("IMPORT_WEBHOOK_URL", receiver.url.clone())];
    let service = Service::start(&settings.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let records = workspace.collection("rocketchat_import_service_webhooks");
    eventually("it knows what was over before", PATIENCE, async || records.find_one(doc! {}).await.unwrap().is_some())
        .await;
    service.stage(&staged_users(0..3)).await;
    service.run_import().await;
    receiver.wait_for(2).await;
    eventually("it is on record", PATIENCE, async || {
        records.find_one(doc! { "state": "delivered" }).await.unwrap().is_some()
    })
    .await;
}

#[tokio::test]
async fn the_documented_call_is_answered_when_an_administrator_has_loaded_the_example_workspace() {
    let workspace = Workspace::empty_on(Mongo::with_users()).await;
    let finished = make_user(&workspace, &[("LOAD_EXAMPLE_WORKSPACE", "true")]).await;
    assert_eq!((finished.code, finished.output.lines().last()), (Some(0), Some("example workspace: loaded")));
    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    let answer = service.status_as("rbAXPnMktTFbNpwtJ", "QizJozLOnWMi_2vWaLHhjfd-XYKT6XM40lTZ3zg1UMd").await;
    let documented = r#"{"state":"ready","operation":{"_id":"64d51ea91558939980aab371","type":"api","importerKey":"api","ts":"2023-08-10T17:30:17.519Z","status":"importer_user_selection","valid":true,"user":"7TY57bBj3xQXvf2i2","_updatedAt":"2023-08-10T17:41:20.052Z","count":{"total":2,"users":2}},"success":true}"#;
    assert_eq!(answer.told(), (200, documented));
}

#[tokio::test]
async fn that_user_reaches_nothing_else_in_the_database() {
    let workspace = Workspace::on(Mongo::with_users()).await;
    workspace.collection("rocketchat_message").insert_one(doc! { "_id": "private", "msg": "hello" }).await.unwrap();
    workspace.add_operation(operation("one")).await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let database = Client::with_uri_str(service_url(&workspace)).await.unwrap().database(workspace.database.name());
    database.run_command(doc! { "find": "users", "limit": 1 }).await.expect("what it is made for works");

    let lookup = doc! { "$lookup": { "from": "rocketchat_message", "pipeline": [], "as": "messages" } };
    let reset = doc! { "q": {}, "u": { "$set": { "roles": ["user"] } }, "multi": true };
    for command in [
        doc! { "find": "rocketchat_message" },
        doc! { "find": "rocketchat_uploads" },
        doc! { "aggregate": "users", "pipeline": [lookup], "cursor": {} },
        doc! { "aggregate": "users", "pipeline": [{ "$out": "copy" }], "cursor": {} },
        doc! { "aggregate": "users", "pipeline": [{ "$changeStream": {} }], "cursor": {} },
        doc! { "aggregate": 1, "pipeline": [{ "$changeStream": {} }], "cursor": {} },
        doc! { "insert": "rocketchat_permissions", "documents": [{ "_id": "run-import", "roles": ["user"] }] },
        doc! { "update": "rocketchat_permissions", "updates": [reset.clone()] },
        doc! { "update": "rocketchat_settings", "updates": [reset.clone()] },
        doc! { "update": "rocketchat_roles", "updates": [reset] },
        doc! { "delete": "users", "deletes": [{ "q": {}, "limit": 0 }] },
        doc! { "delete": "rocketchat_import", "deletes": [{ "q": {}, "limit": 0 }] },
        doc! { "insert": "elsewhere", "documents": [{ "_id": 1 }] },
        doc! { "create": "elsewhere" },
        doc! { "createIndexes": "users", "indexes": [{ "key": { "bio": 1 }, "name": "bio_1" }] },
        doc! { "collMod": "rocketchat_import", "validator": {} },
        doc! { "drop": "users" },
        doc! { "drop": "rocketchat_import" },
        doc! { "dropIndexes": "rocketchat_import", "index": "*" },
        doc! { "dropDatabase": 1 },
        doc! { "listCollections": 1 },
        doc! { "usersInfo": "root" },
        doc! { "createUser": "other", "pwd": "x", "roles": [] },
        doc! { "grantRolesToUser": "importer", "roles": ["readWrite"] },
        doc! { "updateRole": "rocketchatImportService", "privileges": [] },
    ] {
        let refused = database.run_command(command.clone()).await;
        let code = refused.as_ref().map_err(|error| match error.kind.as_ref() {
            ErrorKind::Command(refusal) => refusal.code,
            other => panic!("{command}: {other}"),
        });
        assert_eq!(code, Err(UNAUTHORIZED), "{command}");
    }
    let elsewhere = database_named(&workspace, "admin").await.run_command(doc! { "find": "system.users" }).await;
    assert!(elsewhere.is_err(), "{elsewhere:?}");
}

#[tokio::test]
async fn imports_of_files_take_a_user_that_is_made_for_files() {
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    service.ready().await;
    assert_eq!(service.get("/readyz").await.json()["checks"]["privileges"], json!({ "status": "ok" }));
    let selection = json!({ "input": { "users": { "all": true } } });
    let refused = service.post("/api/v1/startImport", &selection).await;
    let sentence = refused.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(
        (refused.status.as_u16(), refused.json()["errorType"].as_str()),
        (400, Some("error-database-privileges"))
    );
    assert!(sentence.contains("rocketchat_message") && sentence.contains("--for files"), "{sentence}");
    let prepared = operation("slack").with("status", "importer_user_selection").with("importerKey", "slack");
    workspace.add_operation(prepared).await;
    assert_eq!(service.post("/api/v1/import.run", &json!({})).await.json()["error"], sentence);
    let announced = async |query: &str| {
        let request = service.request(Method::POST, &format!("/api/v1/import.upload?{query}"));
        let request = request.header("X-User-Id", "admin").header("X-Auth-Token", "admin-token");
        service.send(request.header("Tus-Resumable", "1.0.0").header("Upload-Length", 3)).await
    };
    assert_eq!(announced("importerKey=csv").await.json()["error"], sentence);
    assert_eq!(announced("purpose=check").await.status, 201, "a file of users is checked");
    assert_eq!(workspace.operation_named("slack").await.get_str("status").unwrap(), "importer_user_selection");

    assert_eq!(make_user(&workspace, &[("DATABASE_USER_FOR", "files")]).await.code, Some(0));
    let database = database_named(&workspace, workspace.database.name()).await;
    database.run_command(doc! { "find": "rocketchat_message" }).await.expect("files bring messages");
    let removal = doc! { "delete": "rocketchat_message", "deletes": [{ "q": {}, "limit": 0 }] };
    database.run_command(removal).await.expect_err("no import removes messages");
    eventually("imports of files are no longer refused for the user's sake", PATIENCE, async || {
        service.post("/api/v1/startImport", &selection).await.json()["errorType"] != "error-database-privileges"
    })
    .await;

    // The smaller user again.
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let database = database_named(&workspace, workspace.database.name()).await;
    database.run_command(doc! { "find": "rocketchat_message" }).await.expect_err("users alone bring no messages");
}

#[tokio::test]
async fn deactivations_take_a_user_that_is_made_for_files_and_sources_do_not() {
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    workspace.grant("edit-other-user-active-status", &["admin"]).await;
    workspace.add_user(user("ann").with("importIds", vec!["1"])).await;
    workspace.collection("rocketchat_room").insert_one(doc! { "_id": "room", "t": "c" }).await.unwrap();
    let owner = doc! { "_id": "owner", "rid": "room", "t": "c", "u": { "_id": "ann" }, "roles": ["owner"] };
    let member = doc! { "_id": "member", "rid": "room", "t": "c", "u": { "_id": "admin" } };
    workspace.collection("rocketchat_subscription").insert_many([owner, member]).await.unwrap();
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    service.ready().await;
    let kept = service.post("/api/v1/import.source", &json!({ "source": "hr", "importIds": ["1", "2"] })).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let missing = json!({ "source": "hr", "importIds": ["2"] });
    let refused = service.post("/api/v1/import.deactivateMissing", &missing).await;
    assert_eq!(refused.json()["errorType"], "error-database-privileges", "{refused:?}");
    assert!(refused.body.contains("rocketchat_subscription") && !refused.body.contains("rocketchat_message"));

    assert_eq!(make_user(&workspace, &[("DATABASE_USER_FOR", "files")]).await.code, Some(0));
    eventually("somebody is deactivated", PATIENCE, async || {
        let answer = service.post("/api/v1/import.deactivateMissing", &missing).await;
        answer.status == 200 && answer.json()["left"][0]["newOwners"][0]["account"] == "admin"
    })
    .await;
}

#[tokio::test]
async fn a_user_for_files_may_fetch_files_and_pictures() {
    let server = FileServer::start().await;
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    workspace.set("SSRF_Allowlist", format!("127.0.0.1:{}", server.port)).await;
    let address = server.put("/a", FileReply::File("text/plain", b"content".to_vec()));
    let message = doc! {
        "_id": "m", "rid": "open", "u": { "_id": "ann" }, "ts": bson::DateTime::now(), "_hidden": true,
        "_importFile": { "downloadUrl": address, "id": "F1", "name": "a.txt", "source": "slack" },
    };
    workspace.collection("rocketchat_message").insert_one(message).await.unwrap();
    let mut picture = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(4, 4).write_to(&mut picture, image::ImageFormat::Png).unwrap();
    let picture = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(picture.into_inner()));
    workspace.add_user(user("ann").with("_pendingAvatarUrl", picture)).await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    service.ready().await;
    let refused = service.post("/api/v1/downloadPendingFiles", &json!({})).await;
    assert_eq!(refused.json()["errorType"], "error-database-privileges", "{}", refused.body);
    assert_eq!(make_user(&workspace, &[("DATABASE_USER_FOR", "files")]).await.code, Some(0));
    for kind in ["Files", "Avatars"] {
        let path = format!("/api/v1/downloadPending{kind}");
        eventually("it begins", PATIENCE, async || service.post(&path, &json!({})).await.status == 200).await;
        let done = service.wait_for_state("done").await;
        assert_eq!(done["operation"]["count"]["completed"], 1, "{kind}: {done}");
    }
    let bytes = workspace.collection("rocketchat_avatars.files").count_documents(doc! {}).await.unwrap();
    assert_eq!(bytes, 1);
}

async fn database_named(workspace: &Workspace, name: &str) -> mongodb::Database {
    Client::with_uri_str(service_url(workspace)).await.unwrap().database(name)
}

#[tokio::test]
async fn the_role_in_the_database_is_that_of_the_file_also_when_it_is_made_again() {
    let workspace = Workspace::on(Mongo::with_users()).await;
    let first = make_user(&workspace, &[]).await;
    assert!(first.output.ends_with(": made\n"), "{first:?}");
    let lesser = doc! { "updateRole": "rocketchatImportService", "privileges": [] };
    workspace.database.run_command(lesser).await.unwrap();
    let second = make_user(&workspace, &[]).await;
    assert!(second.code == Some(0) && second.output.ends_with(": was there, renewed\n"), "{second:?}");

    let question = doc! { "rolesInfo": "rocketchatImportService", "showPrivileges": true };
    let told = workspace.database.run_command(question).await.unwrap();
    let role = told.get_array("roles").unwrap()[0].as_document().unwrap().clone();
    assert_eq!(role.get_array("roles").unwrap(), &Vec::<Bson>::new());
    let file: Value = serde_json::from_str(ROLE_FILE).unwrap();
    let wanted: BTreeMap<String, BTreeSet<String>> = file["privileges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|privilege| {
            let actions = privilege["actions"].as_array().unwrap().iter();
            let collection = privilege["resource"]["collection"].as_str().unwrap().to_owned();
            (collection, actions.map(|action| action.as_str().unwrap().to_owned()).collect())
        })
        .collect();
    assert_eq!(privileges_of(&role, workspace.database.name()), wanted);
}

/// The role's actions on each collection, all of which have to be in this database.
fn privileges_of(role: &Document, database: &str) -> BTreeMap<String, BTreeSet<String>> {
    let privileges = role.get_array("privileges").unwrap().iter().map(|privilege| privilege.as_document().unwrap());
    privileges
        .map(|privilege| {
            let resource = privilege.get_document("resource").unwrap();
            assert_eq!(resource.get_str("db").unwrap(), database);
            let actions = privilege.get_array("actions").unwrap().iter();
            let actions = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
            (resource.get_str("collection").unwrap().to_owned(), actions)
        })
        .collect()
}

#[tokio::test]
async fn a_user_that_is_used_for_other_things_is_left_alone() {
    let workspace = Workspace::on(Mongo::with_users()).await;
    let chat = doc! { "createUser": "chat", "pwd": "chats", "roles": ["readWrite"] };
    workspace.database.run_command(chat).await.unwrap();
    let url = with_credentials(&workspace, "chat", "other");
    let settings = [("ADMIN_MONGO_URL", workspace.url.as_str()), ("MONGO_URL", &url)];
    let finished = run(&["create-database-user"], &settings).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.errors.contains("chat exists already") && finished.errors.contains("readWrite"), "{finished:?}");
    let chat = Client::with_uri_str(with_credentials(&workspace, "chat", "chats")).await.unwrap();
    let database = chat.database(workspace.database.name());
    database.run_command(doc! { "find": "rocketchat_message" }).await.expect("password and role are what they were");
}

#[tokio::test]
async fn a_wrong_password_is_told_in_one_line_that_does_not_hold_it() {
    let workspace = Workspace::on(Mongo::with_users()).await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let url = with_credentials(&workspace, "importer", "wr0ng%2Fpassword");
    let finished = run(&["migrate"], &[("MONGO_URL", &url), ("RUST_LOG", "debug")]).await;
    assert_eq!((finished.code, finished.output.as_str()), (Some(1), ""), "{finished:?}");
    let last = finished.errors.lines().last().unwrap();
    assert!(last.starts_with("rocketchat-import: ") && last.contains("Authentication failed"), "{last}");
    assert!(!finished.errors.contains("wr0ng"), "{finished:?}");

    let by_nobody = run(&["migrate"], &[("MONGO_URL", &url.replace("importer:wr0ng%2Fpassword@", ""))]).await;
    assert_eq!(by_nobody.code, Some(1), "{by_nobody:?}");
    assert_eq!(by_nobody.errors.lines().count(), 1, "{by_nobody:?}");

    let service = Service::start(&[("MONGO_URL", &url)]).await;
    let line = service.logged("waiting for the database").await;
    assert!(line.contains("Authentication failed"), "{line}");
    assert_eq!((service.get("/readyz").await.status.as_u16(), service.status().await.status.as_u16()), (503, 503));
    assert!(service.log_lines("wr0ng").is_empty());
}

#[tokio::test]
async fn connection_strings_may_stand_in_files() {
    let workspace = Workspace::on(Mongo::with_users()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, url: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{url}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (admin, service) = (file("admin", &workspace.url), file("service", &service_url(&workspace)));
    let made = run(&["create-database-user"], &[("ADMIN_MONGO_URL_FILE", &admin), ("MONGO_URL_FILE", &service)]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let migrated = run(&["migrate"], &[("MONGO_URL_FILE", &service)]).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    let missing = run(&["migrate"], &[("MONGO_URL_FILE", "/nowhere/url")]).await;
    assert_eq!((missing.code, missing.errors.lines().count()), (Some(2), 1), "{missing:?}");
}

#[tokio::test]
async fn a_user_that_lacks_privileges_is_told_so_before_an_import_begins_and_needs_no_restart_once_it_has_them() {
    const LACKED: &str = "rocketchat_import_service_run_leases";
    let workspace = Workspace::on(Mongo::with_users()).await.ready_for_imports().await;
    workspace.grant("view-import-operations", &["admin"]).await;
    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    let file: Value = serde_json::from_str(ROLE_FILE).unwrap();
    let privileges = file["privileges"].as_array().unwrap().iter().filter_map(|privilege| {
        let collection = privilege["resource"]["collection"].as_str().unwrap();
        let actions: Vec<&str> = privilege["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let resource = doc! { "db": workspace.database.name(), "collection": collection };
        (collection != LACKED).then(|| doc! { "resource": resource, "actions": actions })
    });
    let lesser = doc! { "updateRole": "rocketchatImportService", "privileges": privileges.collect::<Vec<_>>() };
    workspace.database.run_command(lesser).await.unwrap();

    let service = Service::start(&[("MONGO_URL", &service_url(&workspace))]).await;
    service.ready().await;
    let line = service.logged("create-database-user").await;
    let missing = format!("find, insert, update, remove, createIndex on {LACKED}");
    assert!(line.contains(&missing) && line.contains("level=ERROR"), "{line}");
    let ready = service.get("/readyz").await.json();
    assert_eq!(ready["checks"]["privileges"], json!({ "status": "incomplete", "missing": [missing] }));
    for path in ["import.new", "import.addUsers", "import.run", "import.clear", "import.resume"] {
        let refused = service.post(&format!("/api/v1/{path}"), &json!({ "users": [] })).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.body);
        let body = refused.json();
        assert_eq!(body["errorType"], "error-database-privileges", "{path}");
        let sentence = body["error"].as_str().unwrap();
        assert!(sentence.contains(LACKED) && sentence.contains("create-database-user"), "{path}: {sentence}");
    }
    assert_eq!(workspace.collection("rocketchat_import").count_documents(doc! {}).await.unwrap(), 0);
    assert_eq!(service.status().await.told(), (200, r#"{"state":"none","success":true}"#));

    assert_eq!(make_user(&workspace, &[]).await.code, Some(0));
    eventually("imports are begun", PATIENCE, async || {
        service.post("/api/v1/import.new", &json!({})).await.status == 200
    })
    .await;
    assert_eq!(service.get("/readyz").await.json()["checks"]["privileges"], json!({ "status": "ok" }));
    assert_eq!(service.log_lines("create-database-user").len(), 1, "it is said once");
}

#[tokio::test]
async fn a_run_that_touches_rooms_is_refused_by_its_check_as_by_its_start_while_the_user_may_not() {
    let (workspace, service) = served().await;
    let folder = tempfile::tempdir().unwrap();
    let check = async |name: &str, lines: &str, flags: &[&str]| {
        let file = folder.path().join(name);
        std::fs::write(&file, lines).unwrap();
        let mut arguments = vec!["users", file.to_str().unwrap(), "--check", "--json"];
        arguments.extend(flags);
        let settings = [
            ("ROCKETCHAT_URL", service.address.as_str()),
            ("ROCKETCHAT_USER_ID", "admin"),
            ("ROCKETCHAT_AUTH_TOKEN", "admin-token"),
        ];
        run(&arguments, &settings).await
    };
    let plain = "importIds,emails,username\n1,ann@corp.example,ann\n";
    let named = "importIds,emails,username,channels\n2,bob@corp.example,bob,general\n";
    let unnamed = "importIds,emails,username\n2,bob@corp.example,bob\n";
    assert_eq!(check("plain.csv", plain, &[]).await.code, Some(0));
    let leaver = user("ann").with("importIds", vec!["1"]);
    let leaver = leaver.with("emails", vec![doc! { "address": "ann@corp.example", "verified": true }]);
    workspace.add_user(leaver).await;
    let deleted = "importIds,emails,username,deleted\n1,ann@corp.example,ann,true\n";
    let update = ["--on-existing", "update", "--also-update", "deleted"];
    assert_eq!(check("staying.csv", deleted, &update[..2]).await.code, Some(0));
    for (lines, flags) in [(unnamed, &["--join-default-channels"][..]), (named, &[]), (deleted, &update)] {
        let finished = check("joining.csv", lines, flags).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let report: Value = serde_json::from_str(&finished.output).unwrap();
        let reason = report["problems"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("rocketchat_subscription"), "{reason}");
        assert!(reason.contains("create-database-user --for files"), "{reason}");
    }

    let mut named = staged_users(0..1);
    named[0]["channels"] = json!(["general"]);
    service.stage(&named).await;
    let refused = service.post("/api/v1/import.run", &json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["errorType"]), (400, &json!("error-database-privileges")));

    service.stage(&[json!({ "importIds": ["1"], "emails": ["ann@corp.example"], "deleted": true })]).await;
    let rules = json!({ "onExisting": "update", "alsoUpdate": ["deleted"] });
    let refused = service.post("/api/v1/import.run", &rules).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["errorType"]), (400, &json!("error-database-privileges")));

    // Nobody is staged, so nothing is run.
    let same = check("same.csv", plain, &["--join-default-channels"]).await;
    assert_eq!(same.code, Some(0), "{same:?}");
}
