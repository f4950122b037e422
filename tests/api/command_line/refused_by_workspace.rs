//! Users whom the workspace does not take: in the list of those that are left out, and as warnings.

use super::{File, call};
use crate::harness::served;

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
    assert_eq!(super::summary(&finished)["rejected"], 3);
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
