//! Any file over any workspace.

use std::{env, sync::OnceLock};

use bson::{Bson, doc};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Rules, assert_equal, check, lines_of, records, run};
use crate::harness::{Workspace, served, user};

const NAMES: [&str; 10] = ["ann", "Ann", "bob", "kim", "kim-1", "KIM", "eve", "José", "josé", "lee"];
const EMAILS: [&str; 8] = ["ann@a.b", "Ann@a.b", "bob@a.b", "kim@a.b", "KIM@a.b", "eve@a.b", "lee@a.b", "jo@a.b"];
const IDS: [&str; 8] = ["1", "2", "3", "4", "5", "ann", "kim", "8"];
const ROUNDS: u64 = 30;
const PASSWORDS: [&str; 2] = ["a pass word", "another pass word"];
/// Holds a round in which one user gives up an address and another takes it.
const GIVEN_UP: u64 = 12_386_795_738_619_353_972;

struct Dice {
    random: StdRng,
    /// Whether passwords are updated: to compare them takes long.
    with_passwords: bool,
}

impl Dice {
    fn one_in(&mut self, count: u32) -> bool {
        self.random.random_ratio(1, count)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.choose(&mut self.random).unwrap()
    }

    fn some<'a>(&mut self, words: &[&'a str], counts: std::ops::Range<usize>) -> Vec<&'a str> {
        let count = self.random.random_range(counts);
        words.choose_multiple(&mut self.random, count).copied().collect()
    }

    async fn add_accounts(&mut self, workspace: &Workspace) {
        workspace.collection("users").delete_many(doc! { "_id": { "$ne": "admin" } }).await.unwrap();
        for number in 0..self.random.random_range(0..8) {
            let emails: Vec<Bson> = self
                .some(&EMAILS, 0..3)
                .into_iter()
                .map(|address| doc! { "address": address, "verified": self.one_in(2) }.into())
                .collect();
            let mut account = user(&format!("account{number}")).with("username", self.of(&NAMES));
            if !emails.is_empty() {
                account = account.with("emails", emails);
            }
            if self.one_in(2) {
                account = account.with("importIds", self.some(&IDS, 1..3));
            }
            if self.one_in(2) {
                account = account.with("bio", "there").with("name", "");
            }
            if self.one_in(4) {
                account = account.with("customFields", doc! { "team": "sales" });
            }
            let mut account = account.document();
            if self.with_passwords && self.one_in(2) {
                account.insert("services", doc! { "password": { "bcrypt": bcrypt_of(self.of(&PASSWORDS)) } });
            }
            // Another has the name or the address.
            workspace.collection("users").insert_one(account).await.ok();
        }
    }

    fn users(&mut self) -> Vec<Value> {
        let count = self.random.random_range(1..12);
        (0..count).map(|_| self.user()).collect()
    }

    fn user(&mut self) -> Value {
        let mut user = json!({ "importIds": self.some(&IDS, 1..3), "emails": self.some(&EMAILS, 1..3) });
        let mut put = |field: &str, value: Value| drop(user.as_object_mut().unwrap().insert(field.to_owned(), value));
        if !self.one_in(4) {
            put("username", self.of(&NAMES).into());
        }
        if self.one_in(2) {
            put("name", "A Name".into());
            put("bio", self.of(&["there", "a bio"]).into());
        }
        if self.one_in(4) {
            put("roles", self.some(&["admin", "user", "bot", "Teacher"], 1..3).into());
        }
        if self.one_in(4) {
            put("deleted", self.one_in(2).into());
        }
        if self.one_in(4) {
            put("utcOffset", json!(1));
            put("customFields", json!({ "team": self.of(&["sales", "support"]), "room": 7 }));
        }
        if self.with_passwords {
            match self.random.random_range(0..8) {
                0..4 => put("password", self.of(&PASSWORDS).into()),
                4 => put("services", json!({ "password": { "bcrypt": bcrypt_of(PASSWORDS[0]) } })),
                _ => {}
            }
            put("requirePasswordChange", self.one_in(3).into());
        } else if self.one_in(12) {
            put("password", PASSWORDS[0].into());
        }
        user
    }

    fn rules(&mut self) -> Rules {
        let mut rules = json!({
            "onExisting": self.of(&["fail", "skip", "link", "update"]),
            "onUsernameTaken": self.of(&["fail", "suffix"]),
        });
        if self.one_in(3) {
            rules["matchBy"] = self.some(&["importId", "email", "username"], 1..4).into();
        }
        if self.one_in(3) {
            rules["alsoUpdate"] = self.some(&["roles", "type", "deleted"], 1..4).into();
        }
        if self.with_passwords {
            rules["onExisting"] = self.of(&["update", "update", "link"]).into();
            rules["alsoUpdate"] = self.of(&["password", "password,deleted"]).split(',').collect();
        }
        Rules(rules)
    }
}

#[tokio::test]
async fn any_check_says_of_each_user_what_the_run_then_does() {
    // Another number each time, unless `FORESEEING_SEED` holds one. Shown when the test fails.
    let seed = env::var("FORESEEING_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a seed"));
    compare(seed, false).await;
}

#[tokio::test]
async fn any_check_says_whose_password_the_run_then_changes() {
    let seed = env::var("FORESEEING_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a seed"));
    compare(seed, true).await;
}

#[tokio::test]
async fn an_address_that_one_user_gives_up_and_another_takes_is_foreseen() {
    compare(GIVEN_UP, false).await;
}

/// The stored form of a password, for each the same.
fn bcrypt_of(password: &str) -> &'static str {
    static HASHES: OnceLock<[String; 2]> = OnceLock::new();
    let hashes = HASHES
        .get_or_init(|| PASSWORDS.map(|password| bcrypt::hash(format!("{:x}", Sha256::digest(password)), 10).unwrap()));
    let place = PASSWORDS.iter().position(|known| *known == password).unwrap();
    &hashes[place]
}

async fn compare(seed: u64, with_passwords: bool) {
    println!("FORESEEING_SEED={seed}");
    let mut dice = Dice { random: StdRng::seed_from_u64(seed), with_passwords };
    let (workspace, service) = served().await;
    workspace.grant("edit-other-user-password", &["admin"]).await;
    let teacher = doc! { "_id": "teacher-id", "name": "Teacher" };
    workspace.collection("rocketchat_roles").insert_one(teacher).await.unwrap();
    let mut passwords = 0;
    let mut outcomes = std::collections::BTreeMap::<String, u64>::new();
    for round in 0..ROUNDS {
        dice.add_accounts(&workspace).await;
        let (users, rules) = (dice.users(), dice.rules());
        println!("round {round}: {rules:?}\n{}", lines_of(&users));
        let query = format!("&from=own&format=jsonl{}", rules.query());
        let (lines, end) = check(&service, &query, lines_of(&users)).await;
        let foreseen = records(&lines);
        let staged: Vec<u64> = foreseen
            .iter()
            .filter(|record| record["outcome"] != "refused")
            .map(|record| record["line"].as_u64().unwrap())
            .collect();
        for record in &foreseen {
            let outcome = record["outcome"].as_str().unwrap();
            *outcomes.entry(outcome.to_owned()).or_default() += 1;
            if outcome == "refused" {
                assert_eq!(
                    record["reason"],
                    "there is no role Teacher: Teacher is the name of the role teacher-id, give teacher-id"
                );
            }
        }
        passwords += foreseen.iter().filter(|record| record["changed"].to_string().contains("password\"")).count();
        let count = |word: &str| foreseen.iter().filter(|record| record["outcome"] == word).count();
        for word in ["created", "linked", "updated", "same", "failed", "refused"] {
            assert_eq!(end["workspace"][word], count(word), "{end}");
        }
        let sent: Vec<Value> = staged.iter().map(|line| users[usize::try_from(*line).unwrap() - 1].clone()).collect();
        if sent.is_empty() {
            continue;
        }
        let receipts = run(&service, &sent, &rules).await;
        assert_equal(&foreseen, &staged, &receipts);
    }
    // Every way was taken, or the test would say little.
    assert!(with_passwords || outcomes.len() == 6, "{outcomes:?}");
    assert_eq!(passwords > 0, with_passwords, "{passwords} in {outcomes:?}");
}
