//! Tables as spreadsheets and people leave them, and what every reader of them says: the API and the command line.

use serde_json::{Value, json};

/// A file, its users, and the sentences about its lines.
pub struct TableFile {
    pub name: &'static str,
    pub text: &'static str,
    pub users: Value,
    pub told: &'static [(u64, &'static str)],
}

fn person(username: &str, id: &str) -> Value {
    json!({ "username": username, "emails": [format!("{username}@corp.example")], "importIds": [id] })
}

const NO_ADDRESS: &str = "emails missing of the user \"bea\": give the user an address (import id 2)";

pub fn tables() -> Vec<TableFile> {
    let ann = || person("ann", "1");
    let two_lines =
        json!({ "username": "ann", "emails": ["ann@corp.example"], "importIds": ["1"], "bio": "two\r\nlines" });
    let mut gone = person("ann", "1");
    gone["deleted"] = json!(true);
    vec![
        TableFile {
            name: "mac.csv",
            text: "username,emails,importIds\rann,ann@corp.example,1\rbea,,2\r",
            users: json!([ann()]),
            told: &[(3, NO_ADDRESS)],
        },
        TableFile {
            name: "mixed.csv",
            text: "username,emails,importIds\r\nann,ann@corp.example,1\nbea,,2\n\n\n",
            users: json!([ann()]),
            told: &[(3, NO_ADDRESS)],
        },
        TableFile {
            name: "two-lines.csv",
            text: "username,emails,importIds,bio\nann,ann@corp.example,1,\"two\r\nlines\"\nbea,,2,",
            users: json!([two_lines]),
            told: &[(4, NO_ADDRESS)],
        },
        TableFile {
            name: "headerless.csv",
            text: "ann.lee,ann@corp.example,Ann Lee\n",
            users: json!([{ "username": "ann.lee", "emails": ["ann@corp.example"], "name": "Ann Lee", "importIds": ["ann.lee"] }]),
            told: &[],
        },
        TableFile {
            name: "words.csv",
            text: "Username;E-Mail;Full Name\nann;ann@corp.example;Ann Lee\n",
            users: json!([]),
            told: &[(2, "importIds missing of the user \"ann\"")],
        },
        TableFile { name: "empty.csv", text: "", users: json!([]), told: &[(1, "the file is empty: choose the one")] },
        TableFile { name: "header.csv", text: "username,emails,importIds\n", users: json!([]), told: &[] },
        TableFile {
            name: "blanks.csv",
            text: "username, emails, importIds\nann , \"ann@corp.example\" , 1\n\"bea\", 'bea@corp.example', 2\n",
            users: json!([ann(), { "username": "bea", "emails": ["'bea@corp.example'"], "importIds": ["2"] }]),
            told: &[(3, "e-mail \"'bea@corp.example'\" holds quotation marks, so no mail arrives: correct it")],
        },
        TableFile {
            name: "left-behind.csv",
            text: "sep=;\r\nusername;emails;importIds;;\r\nann;ann@corp.example\u{a0};1;;\r\n\
                   bea;„bea@corp.example“;2;;\r\n;;;;\r\n;;;;\r\n",
            users: json!([ann(), { "username": "bea", "emails": ["„bea@corp.example“"], "importIds": ["2"] }]),
            told: &[(4, "holds typographic quotation marks: take them off")],
        },
        TableFile {
            name: "ids.csv",
            text: "username,emails,importIds\nann,ann@corp.example,007\nbea,bea@corp.example,\"1,52E+03\"\n\
                   cid,cid@corp.example,2024-03-01\ndan,dan@corp.example,01. Mrz\n",
            users: json!([person("ann", "007"), person("cid", "2024-03-01"), person("dan", "01. Mrz")]),
            told: &[
                (
                    3,
                    "importIds \"1,52E+03\" is a number whose digits a spreadsheet has dropped: format its column as text",
                ),
                (
                    4,
                    "importId \"2024-03-01\" is a date, which spreadsheets make of a value such as 3-1: format its column",
                ),
                (5, "importId \"01. Mrz\" is a date"),
            ],
        },
        TableFile {
            name: "deleted.csv",
            text: "username,emails,importIds,deleted\nann,ann@corp.example,1,TRUE\nbea,bea@corp.example,2,WAHR\n\
                   cid,cid@corp.example,3,ja\ndan,dan@corp.example,4,01.03.2024\n",
            users: json!([gone]),
            told: &[
                (3, "deleted must be one of true, yes, 1, false, no and 0, not \"WAHR\" (import id 2)"),
                (4, "deleted must be one of true, yes, 1, false, no and 0, not \"ja\" (import id 3)"),
                (5, "deleted must be one of true, yes, 1, false, no and 0, not \"01.03.2024\" (import id 4)"),
            ],
        },
    ]
}
