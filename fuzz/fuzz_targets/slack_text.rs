//! The text of a message of Slack.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocketchat_import::fuzzing::slack_text;

fuzz_target!(|markup: &str| {
    let (text, mentions, channels) = slack_text(markup);
    for (at, id) in mentions.iter().enumerate() {
        assert!(text.contains(&format!("@{id}")), "{id:?} is mentioned and not named in {text:?}");
        assert!(!mentions[..at].contains(id), "{id:?} is mentioned twice");
    }
    for (at, id) in channels.iter().enumerate() {
        assert!(matches!(id.as_str(), "C01" | "C02"), "{id:?} is no channel");
        assert!(!channels[..at].contains(id), "{id:?} is named twice");
    }
    if !markup.contains(['<', '&', ':']) {
        assert_eq!(text, markup);
    }
    let again = slack_text(&format!("before {markup}"));
    assert!(again.0.starts_with("before "), "what comes before a token is never swallowed");
});
