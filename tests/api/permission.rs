//! Who may see imports, by the workspace's permissions and roles.

use bson::{Bson, doc};

use crate::harness::{Service, user, workspace};

const FORBIDDEN: &str =
    r#"{"success":false,"error":"User does not have the permissions required for this action [error-unauthorized]"}"#;

async fn assert_forbidden(service: &Service, user_id: &str, token: &str, why: &str) {
    let answer = service.status_as(user_id, token).await;
    assert_eq!(answer.told(), (403, FORBIDDEN), "{why}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{why}");
}

#[tokio::test]
async fn a_user_whose_roles_lack_the_permission_is_forbidden() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    for (id, roles) in [("nothing", &[][..]), ("member", &["user"]), ("near", &["Admin", "admin ", "run-import"])] {
        workspace.add_user(user(id).with_roles(roles).with_token("token")).await;
        assert_forbidden(&service, id, "token", id).await;
    }
}

#[tokio::test]
async fn one_of_several_roles_is_enough() {
    let workspace = workspace().await;
    workspace.grant("run-import", &["owner", "admin"]).await;
    workspace.add_user(user("both").with_roles(&["user", "admin", "bot"]).with_token("token")).await;
    assert_eq!(workspace.serve().await.status_as("both", "token").await.status, 200);
}

#[tokio::test]
async fn a_custom_role_is_known_by_its_generated_id_not_by_its_name() {
    let workspace = workspace().await;
    let role = doc! { "_id": "Zf4wJ7sXo9qKpYhTb", "name": "importers", "scope": "Users", "protected": false };
    workspace.collection("rocketchat_roles").insert_one(role).await.unwrap();
    workspace.grant("run-import", &["admin", "Zf4wJ7sXo9qKpYhTb"]).await;
    workspace.add_user(user("by-id").with_roles(&["Zf4wJ7sXo9qKpYhTb"]).with_token("token")).await;
    workspace.add_user(user("by-name").with_roles(&["importers"]).with_token("token")).await;
    let service = workspace.serve().await;
    assert_eq!(service.status_as("by-id", "token").await.status, 200);
    assert_forbidden(&service, "by-name", "token", "the name of a role is not its id").await;
}

#[tokio::test]
async fn not_even_an_administrator_has_a_permission_that_is_missing_or_nobodys() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let permissions = workspace.collection("rocketchat_permissions");
    for stored in [
        None,
        Some(doc! { "_id": "run-import", "roles": [] }),
        Some(doc! { "_id": "run-import" }),
        Some(doc! { "_id": "run-import", "roles": Bson::Null }),
        Some(doc! { "_id": "run-import", "roles": { "admin": true } }),
        Some(doc! { "_id": "view-import-operations", "roles": ["admin"] }),
    ] {
        permissions.delete_many(doc! {}).await.unwrap();
        if let Some(document) = &stored {
            permissions.insert_one(document).await.unwrap();
        }
        assert_forbidden(&service, "admin", "admin-token", &format!("{stored:?}")).await;
    }
}

#[tokio::test]
async fn roles_granted_and_revoked_count_from_the_next_request_on() {
    let workspace = workspace().await;
    workspace.add_user(user("member").with_roles(&["user"]).with_token("token")).await;
    let service = workspace.serve().await;
    assert_forbidden(&service, "member", "token", "at first").await;

    workspace.grant("run-import", &["admin", "user"]).await;
    assert_eq!(service.status_as("member", "token").await.status, 200, "the role got the permission");
    workspace.grant("run-import", &["admin"]).await;
    assert_forbidden(&service, "member", "token", "the role lost the permission").await;

    workspace.update("users", "member", doc! { "$push": { "roles": "admin" } }).await;
    assert_eq!(service.status_as("member", "token").await.status, 200, "the user got a role");
    workspace.update("users", "member", doc! { "$pull": { "roles": "admin" } }).await;
    assert_forbidden(&service, "member", "token", "the user lost the role").await;
}

#[tokio::test]
async fn roles_stored_as_anything_but_a_list_of_texts_are_passed_over() {
    let workspace = workspace().await;
    let service = workspace.serve().await;
    let odd = [
        None,
        Some(Bson::Null),
        Some(Bson::Undefined),
        Some(Bson::from("admin")),
        Some(Bson::Int32(1)),
        Some(Bson::from(doc! { "0": "admin" })),
        Some(Bson::from(vec![Bson::Null, Bson::Int32(1), Bson::from(doc! { "_id": "admin" })])),
        Some(Bson::from(vec![Bson::from(vec![Bson::from("admin")])])),
    ];
    for (number, roles) in odd.into_iter().enumerate() {
        let id = format!("odd-{number}");
        let builder = user(&id).without("roles").with_token("token");
        let why = format!("{roles:?}");
        workspace
            .add_user(match roles {
                Some(roles) => builder.with("roles", roles),
                None => builder,
            })
            .await;
        assert_forbidden(&service, &id, "token", &why).await;
    }
    let mixed = vec![Bson::Null, Bson::Double(0.5), Bson::from("admin")];
    workspace.add_user(user("mixed").with("roles", mixed).with_token("token")).await;
    assert_eq!(service.status_as("mixed", "token").await.status, 200, "the one text among them counts");
}

#[tokio::test]
async fn a_wrong_token_is_told_before_a_missing_permission() {
    let workspace = workspace().await;
    workspace.add_user(user("member").with_roles(&["user"]).with_token("token")).await;
    let service = workspace.serve().await;
    assert_eq!(service.status_as("member", "wrong").await.status, 401);
    assert_forbidden(&service, "member", "token", "the right token").await;
}
