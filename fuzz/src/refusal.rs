use rocketchat_import::fuzzing::Refusal;
use serde_json::Value;

/// Whoever is refused is told why, in Rocket.Chat's shape.
pub fn assert_is_a_refusal(refusal: &Refusal, status: u16) {
    assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
    let body: Value = serde_json::from_slice(&refusal.body).expect("a refusal is JSON");
    assert_eq!(
        body.get("success").or(body.get("status")),
        Some(&if body.get("success").is_some() { Value::Bool(false) } else { Value::from("error") })
    );
    let reason = body.get("error").or(body.get("message")).and_then(Value::as_str);
    assert!(reason.is_some_and(|reason| !reason.is_empty()), "{body}");
}
