//! Records that say of which kind they are: lines of bulk exports, entries of directories.

use super::object::Object;

/// Classes of directory entries that are people.
const PEOPLE: [&str; 5] = ["person", "inetorgperson", "organizationalperson", "posixaccount", "user"];
const MACHINES: [&str; 1] = ["computer"];

fn text_member(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// Whether the object names its own type, and has what it is as a member of that name: `{"type":"user","user":{}}`.
pub(super) fn is_bulk_line(object: &Object) -> bool {
    let member = text_member(object, "type").and_then(|kind| object.get(&kind).map(|member| member.get().to_owned()));
    member.is_some_and(|member| !member.starts_with('"'))
}

/// The sentence for a body whose users are an object with a key for each, in place of a list.
pub(super) fn sentence_about_keyed_users(object: &Object) -> Option<&'static str> {
    let [(name, users)] = object.0.as_slice() else { return None };
    (name == "users" && users.get().starts_with('{')).then_some(
        "users must be a list, as in {\"users\": [{\"username\": \"ann\"}]}, and is an object: write its values as a list",
    )
}

/// The type of a record that is no user.
pub(super) fn kind_of_no_user(object: &Object, is_bulk: bool, is_directory: bool) -> Option<String> {
    if is_bulk {
        let kind = text_member(object, "type")?;
        return (kind != "user").then_some(kind);
    }
    if !is_directory {
        return None;
    }
    let (_, classes) = object.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("objectClass"))?;
    let classes: Vec<String> = serde_json::from_str(classes.get())
        .or_else(|_| serde_json::from_str::<String>(classes.get()).map(|class| vec![class]))
        .unwrap_or_default();
    let has = |wanted: &[&str]| classes.iter().any(|class| wanted.contains(&class.to_ascii_lowercase().as_str()));
    (!has(&PEOPLE) || has(&MACHINES)).then(|| classes.last().cloned().unwrap_or_default())
}
