use rocketchat_import::fuzzing::Refusal;
use serde_json::Value;

/// Fails unless the refusal has this status and Rocket.Chat's shape, and says why.
pub fn assert_is_a_refusal(refusal: &Refusal, status: u16) {
    assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
    let body: Value = serde_json::from_slice(&refusal.body).expect("a refusal is JSON");
    assert_eq!(body["success"], false, "{body}");
    assert!(body["error"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
}
