//! Users whom the workspace does not take: in the list of those that are left out, and as warnings.

use serde_json::{Value, json};

use super::{File, call, csv_of, summary};
use crate::harness::{Finished, served};

const TEXT: &str = "Login;Mail;Personnel Number;Role\nann;ann@corp.example;1;user\nbea;bea@corp.example;2;ghost\n\
                    cid;;3;user\ndan;dan@corp.example;4;user\neve;eve@corp.example;5;phantom\n";

#[tokio::test]
async fn the_list_of_those_left_out_holds_whom_the_workspace_refuses_in_the_order_of_the_file() {
    let (workspace, service) = served().await;
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.csv");
    let rejects = rejects.to_str().unwrap();
    let file = File::new("staff.csv", TEXT);
    let arguments = ["users", file.path(), "--run", "--skip-bad", "--rejects", rejects, "--json"];
    let finished = call(&service.address, &arguments).await;
    assert_eq!((finished.code, workspace.count_imported().await), (Some(1), 2), "{finished:?}");
    assert_eq!(summary(&finished)["rejected"], 3);
    let list = std::fs::read_to_string(rejects).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "line,reason,Login,Mail,Personnel Number,Role");
    assert!(lines[1].starts_with("3,there is no role ghost"), "{list}");
    assert!(lines[1].ends_with(",bea,bea@corp.example,2,ghost"), "{list}");
    assert!(lines[2].starts_with("4,") && lines[2].ends_with(",cid,,3,user"), "{list}");
    assert!(lines[3].starts_with("6,there is no role phantom") && lines.len() == 4, "{list}");

    let mended =
        list.replace("cid,,", "cid,cid@corp.example,").replace(",ghost\n", ",user\n").replace(",phantom\n", ",user\n");
    std::fs::write(rejects, mended).unwrap();
    let finished = call(&service.address, &["users", rejects, "--run"]).await;
    assert_eq!((finished.code, workspace.count_imported().await), (Some(0), 5), "{finished:?}");
}

#[tokio::test]
async fn a_domain_that_nobody_could_sign_up_with_is_a_warning_or_with_refuse_a_bad_line() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_BlockedDomainsList", "corp.example").await;
    let file = File::new("users.csv", "username,emails,importIds\nann,ann@corp.example,1\n");
    let sentence = "line 2: the domain of e-mail \"ann@corp.example\" is blocked by the setting Accounts_BlockedDomainsList: \
                    an import takes it all the same; correct the address";
    let warned = call(&service.address, &["users", file.path(), "--check"]).await;
    assert!(warned.code == Some(0) && warned.errors.contains(sentence), "{warned:?}");
    let refused = call(&service.address, &["users", file.path(), "--run", "--refuse", "domain"]).await;
    assert!(refused.code == Some(2) && refused.errors.contains(sentence), "{refused:?}");
    assert_eq!(workspace.count_staged().await, 0);
}

const WRONG_SETTING: &str = "the setting Accounts_Registration_Users_Default_Roles is wrong: there is no role staff: give \
                             the id of one that is there";

/// The lines that blame the setting, and those that blame a line of the file.
fn blaming(finished: &Finished) -> (Vec<&str>, Vec<&str>) {
    let lines = |is_wanted: fn(&&str) -> bool| finished.errors.lines().filter(is_wanted).collect();
    (lines(|line| line.contains("the setting")), lines(|line| line.starts_with("line ")))
}

#[tokio::test]
async fn a_wrong_setting_of_default_roles_is_said_once_and_none_of_four_hundred_lines_is_blamed() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let file = File::new("people.csv", csv_of(0..400));
    for flags in [&["--check"][..], &["--check", "--skip-bad"], &["--check", "--on-existing", "fail"], &["--run"]] {
        let arguments = [&["users", file.path(), "--json"][..], flags].concat();
        let refused = call(&service.address, &arguments).await;
        assert_eq!(refused.code, Some(2), "{flags:?}: {refused:?}");
        assert_eq!(blaming(&refused), (vec![WRONG_SETTING], vec![]), "{flags:?}");
        assert!(refused.errors.ends_with("people.csv: 1 problem, nothing was sent\n"), "{flags:?}: {refused:?}");
        let summary = summary(&refused);
        let problem = json!({ "kind": "setting", "severity": "fatal", "reason": WRONG_SETTING });
        assert_eq!(summary["problems"], json!([problem]), "{flags:?}");
        assert_eq!(
            (&summary["users"], &summary["badLines"], &summary["problemCount"], &summary["check"]),
            (&json!(400), &json!(0), &json!(1), &Value::Null),
            "{summary}"
        );
    }
    assert_eq!((workspace.count_staged().await, workspace.operations().await.len()), (0, 0));
}

#[tokio::test]
async fn a_wrong_setting_that_shows_while_users_are_staged_is_one_problem_and_no_fault_of_lines() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let file = File::new("people.csv", csv_of(0..400));
    for flags in [&["--run", "--on-existing", "fail"][..], &[]] {
        let arguments = [&["users", file.path(), "--json"][..], flags].concat();
        let refused = call(&service.address, &arguments).await;
        assert_eq!(refused.code, Some(2), "{flags:?}: {refused:?}");
        assert_eq!(blaming(&refused), (vec![WRONG_SETTING], vec![]), "{flags:?}");
        assert!(!refused.errors.contains("users of the lines"), "{flags:?}: {refused:?}");
        assert!(refused.errors.ends_with("people.csv: 1 problem, nothing was run\n"), "{flags:?}: {refused:?}");
        let summary = summary(&refused);
        let problem = json!({ "kind": "setting", "severity": "fatal", "reason": WRONG_SETTING });
        assert_eq!(summary["problems"], json!([problem]), "{flags:?}");
        assert_eq!((&summary["staged"], &summary["badLines"], &summary["run"]), (&json!(0), &json!(0), &Value::Null));
    }
    assert_eq!(workspace.count_staged().await, 0);
}

#[tokio::test]
async fn beside_a_wrong_setting_of_default_roles_a_line_is_blamed_for_its_own_role() {
    let (workspace, service) = served().await;
    workspace.set("Accounts_Registration_Users_Default_Roles", "user,staff").await;
    let file = File::new("people.csv", "email,importId,roles\na@b.c,1,\nb@b.c,2,ghost\nc@b.c,3,\n");
    let refused = call(&service.address, &["users", file.path(), "--check", "--skip-bad"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let own = "line 3: there is no role ghost: give the id of one that is there (import id 2)";
    assert_eq!(blaming(&refused), (vec![WRONG_SETTING], vec![own]), "{refused:?}");
    assert!(refused.errors.ends_with("people.csv: 2 problems, nothing was sent\n"), "{refused:?}");
}
