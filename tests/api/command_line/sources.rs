//! Files as other programs export them: found by themselves, or named with `--from`.

use bson::{Document, doc};
use serde_json::{Value, json};

use super::{File, add_roles, call, summary};
use crate::harness::{Finished, run, served, user};

const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde";

/// Stages a file, and gives the users that are staged and how the command ended.
async fn staged(name: &str, text: &str, flags: &[&str]) -> (Vec<Value>, Finished) {
    let (workspace, service) = served().await;
    add_roles(&workspace).await;
    let file = File::new(name, text);
    let arguments = [&["users", file.path(), "--json"], flags].concat();
    let finished = call(&service.address, &arguments).await;
    let mut users = workspace.staged_data().await;
    assert!(users.iter_mut().all(|user| user.remove("line").is_some()), "{users:?}");
    let users = users.into_iter().map(|user| without_default_role(bson::Bson::Document(user).into_relaxed_extjson()));
    (users.collect(), finished)
}

/// The user as it was sent: the server adds the workspace's default role behind those of the file.
fn without_default_role(mut user: Value) -> Value {
    let roles = user["roles"].as_array_mut().expect("the server gives every user a role");
    assert_eq!(roles.pop(), Some(json!("user")));
    if roles.is_empty() {
        user.as_object_mut().unwrap().remove("roles");
    }
    user
}

#[tokio::test]
async fn rocket_chats_users_csv_without_a_header_is_recognised() {
    let (users, finished) =
        staged("users.csv", "ann.lee, ann@corp.example, Ann Lee\nbea,bea@corp.example,\"Bea, Jr.\"\n", &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.errors.contains("without a header") && finished.errors.contains("--from rocketchat"),
        "{finished:?}"
    );
    assert_eq!(
        users,
        [
            json!({ "username": "ann.lee", "emails": ["ann@corp.example"], "name": "Ann Lee", "importIds": ["ann.lee"] }),
            json!({ "username": "bea", "emails": ["bea@corp.example"], "name": "Bea, Jr.", "importIds": ["bea"] }),
        ]
    );
}

#[tokio::test]
async fn slacks_member_list_gives_roles_bots_and_people_who_left() {
    let text = "username,email,status,billing-active,has-2fa,has-sso,userid,fullname,displayname,expiration-timestamp\n\
                ann,ann@corp.example,Admin,1,0,0,U01ANN,Ann Lee,annie,\n\
                ci,,Bot,0,0,0,U02CI,CI Bot,,\n\
                old,old@corp.example,Deactivated,0,0,0,U03OLD,,Old One,\n";
    let (users, finished) = staged("members.csv", text, &["--skip-bad"]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.errors.contains("line 3: emails missing of the user \"ci\""), "{finished:?}");
    assert_eq!(
        users,
        [
            json!({ "username": "ann", "emails": ["ann@corp.example"], "roles": ["admin"], "importIds": ["U01ANN"], "name": "Ann Lee" }),
            json!({ "username": "old", "emails": ["old@corp.example"], "deleted": true, "importIds": ["U03OLD"], "name": "Old One" }),
        ]
    );
    assert_eq!(
        summary(&finished)["ignoredColumns"],
        json!(["billing-active", "has-2fa", "has-sso", "expiration-timestamp"])
    );
}

#[tokio::test]
async fn answers_of_users_list_are_taken_over_with_addresses_out_of_objects_and_inactive_users_as_deleted() {
    let text = r#"{"users":[{"_id":"a1","username":"ann","emails":[{"address":"ann@corp.example","verified":true}],
        "type":"user","active":false,"roles":["admin"],"name":"Ann","utcOffset":5.5,"status":"online"}],
        "count":1,"offset":0,"total":2,"success":true}"#;
    let (users, finished) = staged("list.json", text, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let expected = json!({
        "importIds": ["a1"], "username": "ann", "emails": ["ann@corp.example"], "type": "user", "deleted": true,
        "roles": ["admin"], "name": "Ann", "utcOffset": 5.5,
    });
    assert_eq!(users, [expected]);
    assert!(finished.errors.contains("the answer holds 1 of 2 users"), "{finished:?}");
}

#[tokio::test]
async fn mongoexport_of_rocket_chat_keeps_its_own_password_hashes_and_drops_every_other_secret() {
    let user = |id: &str, services: Value| {
        json!({ "_id": id, "createdAt": { "$date": "2020-01-01T00:00:00Z" }, "username": id, "active": true,
            "emails": [{ "address": format!("{id}@corp.example"), "verified": true }], "services": services })
    };
    let lines = [
        user(
            "ann",
            json!({ "password": { "bcrypt": BCRYPT }, "resume": { "loginTokens": [{ "hashedToken": "SECRET" }] },
            "totp": { "secret": "SECRET" }, "email2fa": { "enabled": true }, "ldap": { "id": "SECRET" } }),
        ),
        user("bea", json!({ "password": { "bcrypt": "$1$SECRET" } })),
        user("cid", json!({ "password": { "bcrypt": BCRYPT.replace("$10$", "$04$") } })),
    ];
    let text = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let (users, finished) = staged("users.json", &text, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(users[0]["services"], json!({ "password": { "bcrypt": BCRYPT } }));
    assert!(users[1].get("services").is_none() && users[2].get("services").is_none(), "{users:?}");
    assert!(!Value::from(users).to_string().contains("SECRET"));
    assert!(!finished.errors.contains(BCRYPT) && !finished.output.contains(BCRYPT), "{finished:?}");
    let expected = json!({ "loginTokens": 1, "twoFactor": 1, "otherHashes": 2, "otherServices": 1 });
    assert_eq!(summary(&finished)["dropped"], expected);
    assert!(finished.errors.contains("left out for safety: 1 login tokens, 1 second factors"), "{finished:?}");
}

#[tokio::test]
async fn a_run_of_mongoexport_lines_keeps_a_hash_of_the_file_and_makes_passwords_for_the_others_alone() {
    let (workspace, service) = served().await;
    let person = |id: &str, services: Value| {
        json!({ "_id": id, "createdAt": { "$date": "2020-01-01T00:00:00Z" }, "username": id, "active": true,
            "emails": [{ "address": format!("{id}@corp.example"), "verified": true }], "services": services })
    };
    let lines = [person("ann", json!({ "password": { "bcrypt": BCRYPT } })), person("bea", json!({}))];
    let file = File::new("users.json", lines.map(|line| line.to_string()).join("\n"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("passwords.csv");
    let arguments = ["users", file.path(), "--run", "--json", "--passwords-out", out.to_str().unwrap()];
    let finished = call(&service.address, &arguments).await;
    assert_eq!((finished.code, &summary(&finished)["passwords"]), (Some(0), &json!(1)), "{finished:?}");
    let account = async |name: &str| {
        workspace.collection("users").find_one(doc! { "username": name }).await.unwrap().expect("the account is made")
    };
    let hash = |account: &Document| {
        let services = account.get_document("services").unwrap();
        services.get_document("password").unwrap().get_str("bcrypt").unwrap().to_owned()
    };
    let (ann, bea) = (account("ann").await, account("bea").await);
    assert_eq!((hash(&ann).as_str(), ann.get("requirePasswordChange")), (BCRYPT, None), "{ann}");
    assert!(hash(&bea) != BCRYPT && bea.get_bool("requirePasswordChange").unwrap(), "{bea}");
    let made = std::fs::read_to_string(&out).unwrap();
    let rows: Vec<&str> = made.lines().skip(1).collect();
    assert!(rows.len() == 1 && rows[0].starts_with("bea,bea@corp.example,bea,"), "nobody but bea has a new password");
}

#[tokio::test]
async fn lists_of_google_entra_and_a_directory_are_recognised() {
    let google = "First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Org Unit Path [Required],Status [READ ONLY],Employee ID\n\
                  Ann,Lee,ann@corp.example,****,/,Active,\nBea,Poe,bea@corp.example,****,/,Suspended,e2\n";
    let (users, finished) = staged("google.csv", google, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        users,
        [
            json!({ "emails": ["ann@corp.example"], "name": "Ann Lee", "importIds": ["ann@corp.example"] }),
            json!({ "emails": ["bea@corp.example"], "name": "Bea Poe", "importIds": ["e2"], "deleted": true }),
        ]
    );
    let entra = "userPrincipalName,displayName,surname,mail,givenName,id,userType,accountEnabled\n\
                 ann@corp.onmicrosoft.example,Ann Lee,Lee,ann@corp.example,Ann,0b1,Member,True\n\
                 bea@corp.onmicrosoft.example,,Poe,,Bea,0b2,Guest,False\n";
    let (users, finished) = staged("entra.csv", entra, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        users[0],
        json!({ "name": "Ann Lee", "emails": ["ann@corp.example"], "importIds": ["0b1"], "deleted": false })
    );
    assert_eq!(
        (&users[1]["emails"][0], &users[1]["name"], &users[1]["deleted"]),
        (&json!("bea@corp.onmicrosoft.example"), &json!("Bea Poe"), &json!(true))
    );
    let ldap = "dn,uid,cn,mail,employeeNumber,userPassword\n\"uid=ann,dc=corp,dc=example\",ann,Ann Lee,ann@corp.example,7,{SSHA}SECRET\n";
    let (users, finished) = staged("ldap.csv", ldap, &[]).await;
    assert_eq!(
        users,
        [json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["7"], "name": "Ann Lee" })]
    );
    assert_eq!(summary(&finished)["dropped"]["otherHashes"], 1);
}

#[tokio::test]
async fn people_of_an_ldif_file_are_imported_and_other_entries_passed_over() {
    let text = "version: 1\n\ndn: dc=corp,dc=example\nobjectClass: organization\no: Corp\n\n\
                dn: CN=Ann Lee,DC=corp,\n DC=example\nobjectClass: top\nobjectClass: person\nobjectClass: user\n\
                sAMAccountName: ann\nmail: ann@corp.example\nproxyAddresses: smtp:a@corp.example\ndisplayName:: QW5uIEzDqWU=\n\
                objectGUID:: /wABAg==\nuserAccountControl: 514\nunicodePwd:: U0VDUkVU\n";
    let (users, finished) = staged("people.ldif", text, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let expected = json!({
        "emails": ["ann@corp.example"], "name": "Ann Lée", "deleted": true, "username": "ann", "importIds": ["/wABAg=="],
    });
    assert_eq!(users, [expected]);
    assert_eq!(summary(&finished)["passedOver"], json!({ "organization": 1 }));
}

#[tokio::test]
async fn a_mattermost_bulk_file_is_named_and_its_users_are_imported_on_demand() {
    let text = "{\"type\":\"version\",\"version\":1}\n\
                {\"type\":\"user\",\"user\":{\"username\":\"ann\",\"email\":\"ann@corp.example\",\"first_name\":\"Ann\",\"last_name\":\"Lee\",\"roles\":\"system_user system_admin\",\"auth_data\":\"SECRET\"}}\n\
                {\"type\":\"user\",\"user\":{\"username\":\"old\",\"email\":\"old@corp.example\",\"delete_at\":1700000000000}}\n\
                {\"type\":\"post\",\"post\":{\"message\":\"hello\"}}\n";
    let file = File::new("bulk.jsonl", text);
    let finished = run(&["users", file.path(), "--dry-run"], &[]).await;
    assert_eq!((finished.code, finished.errors.lines().count()), (Some(2), 2), "{finished:?}");
    assert!(finished.errors.contains("this is a Mattermost bulk file: give --from mattermost"), "{finished:?}");
    let (users, finished) = staged("bulk.jsonl", text, &["--from", "mattermost"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        users,
        [
            json!({ "username": "ann", "emails": ["ann@corp.example"], "roles": ["admin"], "name": "Ann Lee", "importIds": ["ann"] }),
            json!({ "username": "old", "emails": ["old@corp.example"], "deleted": true, "importIds": ["old"] }),
        ]
    );
    assert_eq!(summary(&finished)["passedOver"], json!({ "post": 1, "version": 1 }));
}

#[tokio::test]
async fn the_pages_list_of_failed_users_is_taken_without_its_apostrophes_and_reasons() {
    let text = "\u{feff}\"importIds\",\"emails\",\"username\",\"name\",\"roles\",\"line\",\"errors\"\r\n\
                \"'+4915\",\"a@corp.example\",\"'@bob\",\"'=Bob\",\"guest;user\",\"17\",\"taken\"\r\n\
                \"2\",\"b@corp.example\",\"'=cmd\",\"\",\"user\",\"\",\"the e-mail address is taken\"\r\n";
    let (users, finished) = staged("failed-users.csv", text, &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        users,
        [
            json!({
                "importIds": ["+4915"], "emails": ["a@corp.example"], "username": "@bob", "name": "=Bob",
                "roles": ["guest"],
            }),
            json!({ "importIds": ["2"], "emails": ["b@corp.example"], "username": "=cmd" }),
        ]
    );
}

#[tokio::test]
async fn the_table_of_a_receipt_is_read_as_a_list_of_users() {
    let (workspace, service) = served().await;
    workspace.add_user(user("bea")).await;
    let file =
        File::new("users.csv", "username,emails,importIds\nann,ann@corp.example,+1\nbea,bea@corp.example,+4915\n");
    let ran = call(&service.address, &["users", file.path(), "--run", "--on-existing", "fail"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let table = call(&service.address, &["receipt"]).await.output;
    let file = File::new("receipt.csv", table.replace("\"bea\"", "\"bea.poe\""));
    let again = call(&service.address, &["users", file.path(), "--run", "--json", "--replace"]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let told = summary(&again);
    assert_eq!((&told["users"], &told["ignoredColumns"]), (&json!(2), &json!([])), "{told}");
    assert_eq!((&told["run"]["created"], &told["run"]["same"]), (&json!(1), &json!(1)), "{told}");
    // The receipt writes it with an apostrophe, so that no spreadsheet program takes it for a formula.
    let bea = workspace.collection("users").find_one(bson::doc! { "username": "bea.poe" }).await.unwrap().unwrap();
    assert_eq!(bea.get_array("importIds").unwrap(), &[bson::Bson::from("+4915")]);
}

#[tokio::test]
async fn a_bot_of_slacks_list_that_has_an_address_is_a_bot_also_where_only_the_source_shows_the_list() {
    let full = "username,email,status,billing-active,has-2fa,has-sso,userid,fullname,displayname,expiration-timestamp\n\
                ci,ci@corp.example,Bot,0,0,0,U02CI,CI Bot,,\n";
    // Without the columns that the list is known by.
    let short = "username,email,status,userid,fullname\nci,ci@corp.example,Bot,U02CI,CI Bot\n";
    let named = &["--from", "slack-members"][..];
    for (text, flags) in [(full, &[][..]), (full, named), (short, named)] {
        let (users, finished) = staged("members.csv", text, flags).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let bot = json!({
            "username": "ci", "emails": ["ci@corp.example"], "type": "bot", "importIds": ["U02CI"], "name": "CI Bot",
        });
        assert_eq!(users, [bot], "{flags:?}: {text}");
        assert!(finished.errors.contains("read as Slack's member list (--from slack-members)"), "{finished:?}");
    }
    let (users, refused) = staged("members.csv", short, &[]).await;
    assert_eq!((users.len(), refused.code), (0, Some(2)), "{refused:?}");
    assert!(refused.errors.contains("unknown column \"status\""), "{refused:?}");

    let (workspace, service) = served().await;
    let file = File::new("members.csv", full);
    let finished = call(&service.address, &["users", file.path(), "--run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let account = workspace.collection("users").find_one(doc! { "username": "ci" }).await.unwrap().unwrap();
    assert_eq!(account.get_str("type").unwrap(), "bot");
}
