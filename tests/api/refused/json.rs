use super::{WrongFile, wrong};

const ANN: &str = r#"{"username":"ann","emails":["ann@corp.example"],"importIds":["1"]}"#;

fn ann_with(member: &str) -> String {
    format!("[\n{},{member}}}\n]", ANN.trim_end_matches('}'))
}

pub fn rows() -> Vec<WrongFile> {
    vec![
        wrong(
            "a value that is missing",
            format!("[\n{ANN},\n{{\"username\":}}\n]"),
            "syntax",
            "line 3: not valid JSON: expected value (column 13): mend it there, or export the file again",
        ),
        wrong(
            "half a file",
            format!("[\n{ANN},\n{{\"username\":\"bea\""),
            "syntax",
            "line 3: not valid JSON: the file ends within what begins on line 3: mend it there, or export the file again",
        ),
        wrong(
            "a comma that is missing",
            format!("[\n{ANN}\n{ANN}\n]"),
            "syntax",
            "line 3: not valid JSON: a comma is missing between two users: mend it there, or export the file again",
        ),
        wrong(
            "neither a list nor a user",
            "\"ann\"",
            "syntax",
            "line 1: not valid JSON: neither an array nor an object begins here: mend it there, or export the file again",
        )
        .with("?format=json"),
        wrong(
            "a number in place of a user",
            "[7]",
            "syntax",
            "line 1: a user must be an object, as in {\"username\": \"ann\"}, not 7",
        ),
        wrong(
            "a list with something else in it",
            ann_with(r#""roles":["user",7]"#),
            "value",
            "line 2: roles must be a list of texts, but holds 7 (import id 1)",
        ),
        wrong(
            "a key twice",
            ann_with(r#""name":"Ann","name":"Bea""#),
            "syntax",
            "line 2: \"name\" is there twice: keep one (import id 1)",
        ),
        wrong(
            "a word in quotation marks for a yes",
            ann_with(r#""deleted":"true""#),
            "value",
            "line 2: deleted must be true or false, without quotation marks, not \"true\" (import id 1)",
        ),
        wrong(
            "own fields that are none",
            ann_with(r#""customFields":"sales""#),
            "value",
            "line 2: customFields must be an object, not \"sales\" (import id 1)",
        ),
        wrong(
            "lines of somebody else",
            "{\"type\":\"version\",\"version\":1}\n{\"type\":\"user\",\"user\":{\"username\":\"ann\"}}\n",
            "other-file",
            "line 1: this is a Mattermost bulk file: give --from mattermost to import its users",
        ),
    ]
}
