use rocketchat_import::fuzzing::Refusal;
use serde_json::Value;

/// Fails unless the request is told with this status, and in Rocket.Chat's shape, that it was refused, and why.
pub fn assert_is_a_refusal(refusal: &Refusal, status: u16) {
    assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
    let body: Value = serde_json::from_slice(&refusal.body).expect("a refusal is JSON");
    assert_eq!(body["success"], false, "{body}");
    assert!(body["error"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
}
