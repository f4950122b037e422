//! What the program prints about itself.

use std::process::{Command, Stdio};

use crate::harness::run;

const COMMANDS: [&str; 7] = ["serve", "migrate", "healthcheck", "status", "users", "completions", "man"];

#[tokio::test]
async fn the_completion_script_is_one_bash_accepts_and_completes_commands_with() {
    let script = run(&["completions", "bash"], &[]).await;
    assert_eq!(script.code, Some(0), "{script:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions.bash");
    std::fs::write(&file, &script.output).unwrap();
    let ask = format!(
        "source {}; COMP_WORDS=(rocketchat-import st); COMP_CWORD=1; \
         function=$(complete -p rocketchat-import | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
         \"$function\" rocketchat-import st rocketchat-import; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let completed = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash");
    assert!(completed.status.success(), "{completed:?}");
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "status", "{completed:?}");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell], &[]).await;
        assert!(script.code == Some(0) && script.output.contains("retry-for"), "{shell}");
    }
}

#[tokio::test]
async fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let written = run(&["man", "--dir", folder.path().to_str().unwrap()], &[]).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(folder.path().join("rocketchat-import.1").exists());
    for command in COMMANDS {
        let file = std::fs::read_to_string(folder.path().join(format!("rocketchat-import-{command}.1"))).unwrap();
        let printed = run(&["man", command], &[]).await;
        assert_eq!(printed.output.trim(), file.trim(), "{command}");
        assert!(file.contains(".SH NAME") && file.contains(".SH SYNOPSIS"), "{command}");
    }
    assert_eq!(run(&["man", "dance"], &[]).await.code, Some(2));
}

#[tokio::test]
async fn the_pages_are_ones_man_accepts() {
    let Ok(found) = Command::new("man").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() else {
        eprintln!("man is not installed, so its opinion was not asked");
        return;
    };
    assert!(found.success());
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--dir", folder.path().to_str().unwrap()], &[]).await;
    let page = folder.path().join("rocketchat-import-users.1");
    let shown = Command::new("man").args(["--warnings", "-l"]).arg(page).env("MANPAGER", "cat").output().unwrap();
    assert!(shown.status.success() && shown.stderr.is_empty(), "{shown:?}");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("--import-id-from"), "{shown:?}");
}

#[tokio::test]
async fn help_tells_the_exit_codes_and_no_values_of_the_environment() {
    for command in ["status", "users"] {
        let settings = [("ROCKETCHAT_AUTH_TOKEN", "s3cret"), ("ROCKETCHAT_USER_ID", "admin")];
        let help = run(&[command, "--help"], &settings).await;
        assert!(help.code == Some(0) && help.output.contains("Exit codes:"), "{help:?}");
        assert!(help.output.contains("ROCKETCHAT_AUTH_TOKEN") && !help.output.contains("s3cret"), "{help:?}");
    }
}
