//! What becomes of people who have an account, chosen and seen before anything is sent.

use bson::{Document, doc};

use crate::{
    browser::Browser,
    harness::{Workspace, user},
    page::set_up_signed_in,
};

const FILE: &str = "importIds,emails,username,name,bio\n\
                    1,ann@corp.example,ann,Ann Lee,Head of sales\n\
                    2,bea@corp.example,bea,Bea Ray,\n\
                    3,kim.b@partner.example,kim,Kim B,\n";

/// Ann and Kim have accounts; the Kim of the file is another one.
async fn add_accounts(workspace: &Workspace) {
    for (id, address) in [("ann", "ann@corp.example"), ("kim", "kim@corp.example")] {
        let emails = vec![bson::Bson::from(doc! { "address": address, "verified": true })];
        workspace.add_user(user(id).with("emails", emails).with("bio", "Before")).await;
    }
}

async fn account(workspace: &Workspace, username: &str) -> Document {
    workspace.collection("users").find_one(doc! { "username": username }).await.unwrap().unwrap()
}

/// Waits for the figures of created, linked, updated, same and failed.
async fn foresees(browser: &Browser, figures: [&str; 5]) {
    let names = ["created", "linked", "updated", "same", "failed"];
    for (name, figure) in names.into_iter().zip(figures) {
        browser.says(&format!("#foreseen-{name}"), figure).await;
    }
}

#[tokio::test]
async fn the_rule_for_people_who_are_there_is_chosen_foreseen_and_what_the_run_does() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    add_accounts(&workspace).await;
    browser.resize(360, 800, true).await;
    let _file = browser.choose_file(".csv", FILE).await;
    for (rule, figures, to_stage) in [
        ("skip", ["1", "0", "0", "1", "1"], "Stage 2 users"),
        ("link", ["1", "1", "0", "0", "1"], "Stage 3 users"),
        ("fail", ["1", "0", "0", "0", "2"], "Stage 3 users"),
        ("update", ["1", "0", "1", "0", "1"], "Stage 3 users"),
    ] {
        browser.choose("#users-on-existing", rule).await;
        browser.says("#send", to_stage).await;
        foresees(&browser, figures).await;
    }
    browser.says("#file-failing", "line 4: ").await;
    browser.says("#file-failing", "belongs to somebody with another e-mail address").await;
    assert!(!browser.is_shown("#file-errors").await && !browser.is_shown("#file-notes").await);
    let sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.evaluate(sideways).await, 0);
    assert!(workspace.operations().await.is_empty(), "nothing was sent");

    browser.click("#send").await;
    browser.says("#file-good", "3 users staged").await;
    browser.shown("#run-choice").await;
    let chosen = browser.evaluate("return document.querySelector('#run-on-existing').value").await;
    assert_eq!(chosen, "update", "the run keeps the choice of the check");
    browser.click("#run").await;
    browser.says("#state", "Done, with failures").await;
    browser.says("#completed", "2").await;
    browser.says("#failed", "1").await;
    assert_eq!(account(&workspace, "ann").await.get_str("bio").unwrap(), "Head of sales");
    assert_eq!(account(&workspace, "kim").await.get_str("bio").unwrap(), "Before");

    // Those who are there already need not be sent again.
    let known = FILE.lines().take(3).collect::<Vec<_>>().join("\n");
    let _file = browser.choose_file(".csv", &known).await;
    browser.says("#file-good", "2 users, nothing wrong. Everybody is there already").await;
    foresees(&browser, ["0", "0", "0", "2", "0"]).await;
    assert!(!browser.is_shown("#send").await);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn somebody_whose_user_name_another_person_has_gets_the_next_free_one_where_that_is_chosen() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    add_accounts(&workspace).await;
    let _file = browser.choose_file(".csv", FILE).await;
    foresees(&browser, ["1", "0", "0", "1", "1"]).await;
    browser.click("#users-username-suffix").await;
    foresees(&browser, ["2", "0", "0", "1", "0"]).await;
    browser.click("#send").await;
    browser.shown("#run-choice").await;
    browser.click("#run").await;
    browser.says("#state", "Done").await;
    browser.says("#completed", "2").await;
    assert_eq!(account(&workspace, "kim-1").await.get_str("name").unwrap(), "Kim B");
    assert_eq!(account(&workspace, "kim").await.get_str("bio").unwrap(), "Before");
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn what_the_workspace_would_refuse_is_an_error_and_its_twins_are_warnings() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    add_accounts(&workspace).await;
    browser.choose("#users-on-existing", "fail").await;
    let file = "importIds,emails,username,roles\n1,Ann@corp.example,ann2,\n2,bea@corp.example,bea,nobody\n";
    let _file = browser.choose_file(".csv", file).await;
    browser.says("#file-bad", "1 problem, so nothing is sent.").await;
    browser.says("#file-problems", "line 3: ").await;
    browser.says("#file-problems", "nobody").await;
    browser.says("#file-warnings", "line 2: e-mail \"Ann@corp.example\" differs from that of the account").await;
    assert!(!browser.is_shown("#send").await);
}

#[tokio::test]
async fn whether_new_accounts_join_the_default_channels_is_chosen_beside_the_run() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let room = doc! { "_id": "GENERAL", "t": "c", "name": "general", "default": true, "msgs": 0, "usersCount": 1 };
    workspace.collection("rocketchat_room").insert_one(room).await.unwrap();
    let members = async || workspace.collection("rocketchat_subscription").count_documents(doc! {}).await.unwrap();
    for (file, joins, expected) in [
        ("importIds,emails,username\n1,ann@corp.example,ann\n", false, 0),
        ("importIds,emails,username\n2,bea@corp.example,bea\n", true, 1),
    ] {
        let _file = browser.choose_file(".csv", file).await;
        browser.says("#send", "Stage 1 user").await;
        browser.click("#send").await;
        browser.says("#file-good", "1 user staged").await;
        browser.shown("#run-join-default-channels").await;
        if joins {
            browser.click("#run-join-default-channels").await;
        }
        browser.click("#run").await;
        browser.says("#state", "Done").await;
        assert_eq!(members().await, expected);
    }
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn a_run_with_link_gives_an_account_that_lacks_nothing_the_import_id_and_nothing_else() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    add_accounts(&workspace).await;
    let before = account(&workspace, "ann").await;
    browser.choose("#users-on-existing", "link").await;
    let _file = browser.choose_file(".csv", "importIds,emails,username\nU01ANN,ann@corp.example,ann\n").await;
    foresees(&browser, ["0", "1", "0", "0", "0"]).await;
    browser.click("#send").await;
    browser.says("#file-good", "1 user staged").await;
    browser.shown("#run-choice").await;
    browser.click("#run").await;
    browser.says("#state", "Done").await;
    browser.says("#completed", "1").await;
    let mut after = account(&workspace, "ann").await;
    assert_eq!(after.remove("importIds"), Some(bson::Bson::from(vec!["U01ANN"])));
    after.remove("_updatedAt").expect("every change has its moment");
    assert_eq!(after, before);
    browser.assert_no_errors(&[]).await;
}

#[tokio::test]
async fn a_role_that_is_given_by_the_name_that_people_see_is_answered_with_its_id() {
    let Some((workspace, _service, browser)) = set_up_signed_in().await else { return };
    let teacher = doc! { "_id": "k9Xw3fTtQmR2aZ7pL", "name": "Teacher", "scope": "Users" };
    workspace.collection("rocketchat_roles").insert_one(teacher).await.unwrap();
    let rows: Vec<String> = (1..=400)
        .map(|number| {
            let role = if number >= 399 { "Teacher" } else { "" };
            format!("{number},u{number}@corp.example,u{number},{role}\n")
        })
        .collect();
    let _file = browser.choose_file(".csv", format!("importIds,emails,username,roles\n{}", rows.concat())).await;
    browser.says("#file-bad", "2 problems, so nothing is sent.").await;
    let problems = browser.text("#file-problems").await;
    for (line, problem) in [400, 401].into_iter().zip(problems.lines()) {
        assert!(problem.starts_with(&format!("line {line}: ")), "{problems}");
        assert!(problem.contains("Teacher") && problem.contains("k9Xw3fTtQmR2aZ7pL"), "{problems}");
    }
    assert!(!browser.is_shown("#send").await);

    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let _file = browser.choose_file(".csv", "importIds,emails,username\n1,a@corp.example,ann\n").await;
    browser.says("#file-bad", "1 problem, so nothing is sent.").await;
    let problems = browser.text("#file-problems").await;
    let sentence = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff";
    assert!(problems.lines().count() == 1 && problems.starts_with(sentence), "{problems}");
    browser.assert_no_errors(&[]).await;
}
