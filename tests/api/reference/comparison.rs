//! Finds where two workspaces differ, field by field, in values and in the order of fields.

use std::collections::{BTreeMap, HashMap};

use bson::{Bson, Document};

use super::stored::{Stored, text, texts};

/// Everything later is a moment of an import, and reads as one and the same.
const LAST_GIVEN_MILLIS: i64 = 1_704_067_200_000;

/// One difference. A document that only one side has differs at the empty path, a different
/// order of fields at `(order)`.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    pub(super) case: &'static str,
    pub(super) file: &'static str,
    pub(super) document: String,
    pub(super) path: String,
    pub(super) ours: String,
    pub(super) theirs: String,
    /// The room and the person that a subscription or message belongs to.
    pub(super) belongs_to: Vec<String>,
}

const ABSENT: &str = "(absent)";
const THERE: &str = "(there)";

pub(super) fn compare(case: &'static str, seed: &Stored, ours: &Stored, theirs: &Stored) -> Vec<Difference> {
    let mut differences = Vec::new();
    let [our_names, their_names] = [ours, theirs].map(|stored| Names::new(case, stored, seed));
    for (file, documents) in &ours.files {
        let ours = our_names.documents(file, documents);
        let theirs = their_names.documents(file, theirs.documents(file));
        let mut add = |of: &Document, document: &str, path: &str, ours: String, theirs: String| {
            let (document, path, belongs_to) = (document.to_owned(), path.to_owned(), belongs_to(of));
            differences.push(Difference { case, file, document, path, ours, theirs, belongs_to });
        };
        for (document, our) in &ours {
            match theirs.get(document) {
                Some(their) => fields("", our, their, &mut |path, ours, theirs| add(our, document, path, ours, theirs)),
                None => add(our, document, "", THERE.to_owned(), ABSENT.to_owned()),
            }
        }
        for (document, their) in theirs.iter().filter(|(document, _)| !ours.contains_key(*document)) {
            add(their, document, "", ABSENT.to_owned(), THERE.to_owned());
        }
    }
    differences
}

/// Room and person of a document whose ids are names already.
fn belongs_to(document: &Document) -> Vec<String> {
    let person = document.get_document("u").ok().map(|person| text(person, "_id"));
    [Some(text(document, "rid")), person].into_iter().flatten().map(str::to_owned).collect()
}

fn fields(path: &str, ours: &Document, theirs: &Document, add: &mut dyn FnMut(&str, String, String)) {
    let shared = |one: &Document, other: &Document| -> Vec<String> {
        one.keys().filter(|name| other.contains_key(name.as_str())).cloned().collect()
    };
    let (our_order, their_order) = (shared(ours, theirs), shared(theirs, ours));
    if our_order != their_order {
        add(&joined(path, "(order)"), our_order.join(","), their_order.join(","));
    }
    for (name, our) in ours {
        match theirs.get(name) {
            Some(their) => value(&joined(path, name), our, their, add),
            None => add(&joined(path, name), shown(our), ABSENT.to_owned()),
        }
    }
    for (name, their) in theirs.iter().filter(|(name, _)| !ours.contains_key(name.as_str())) {
        add(&joined(path, name), ABSENT.to_owned(), shown(their));
    }
}

fn value(path: &str, ours: &Bson, theirs: &Bson, add: &mut dyn FnMut(&str, String, String)) {
    match (ours, theirs) {
        (Bson::Document(ours), Bson::Document(theirs)) => fields(path, ours, theirs, add),
        (Bson::Array(ours), Bson::Array(theirs)) if ours.len() == theirs.len() => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                value(path, ours, theirs, add);
            }
        }
        _ if shown(ours) == shown(theirs) => {}
        _ => add(path, shown(ours), shown(theirs)),
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn shown(value: &Bson) -> String {
    match value {
        Bson::Null | Bson::Undefined => "null".to_owned(),
        Bson::Boolean(value) => value.to_string(),
        Bson::Int32(value) => value.to_string(),
        Bson::Int64(value) => value.to_string(),
        Bson::Double(value) => value.to_string(),
        Bson::String(value) => format!("{value:?}"),
        Bson::DateTime(date) => date.try_to_rfc3339_string().unwrap(),
        Bson::Array(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(",")),
        Bson::Document(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{}", shown(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        other => panic!("{other} is nothing that is stored"),
    }
}

/// Names for ids that are new in each run, made of what the documents have in common. Ids of the seed stay.
struct Names(HashMap<String, String>);

impl Names {
    fn new(case: &str, stored: &Stored, seed: &Stored) -> Self {
        let mut names = HashMap::new();
        for user in stored.documents("users") {
            if let [first, ..] = texts(user, "importIds").as_slice() {
                names.insert(text(user, "_id").to_owned(), format!("user {first}"));
            }
        }
        let mut import_ids = HashMap::new();
        for room in stored.documents("rocketchat_room") {
            let ids = texts(room, "importIds");
            let [first, ..] = ids.as_slice() else { continue };
            // Import ids of channels in CSV files are new in each of Rocket.Chat's imports.
            let (shown, kind) = (room.get_str("fname").unwrap_or_else(|_| text(room, "name")), text(room, "t"));
            let name =
                if case.starts_with("csv") && kind != "d" { format!("{kind} {shown}") } else { (*first).to_owned() };
            import_ids.extend(ids.iter().filter(|_| kind != "d").map(|id| ((*id).to_owned(), format!("id of {name}"))));
            names.insert(text(room, "_id").to_owned(), format!("room {name}"));
        }
        names.insert("rocket.cat".to_owned(), "rocket.cat".to_owned());
        // A renamed channel has two rooms with one import id in Rocket.Chat.
        let mut counted: HashMap<String, u32> = HashMap::new();
        for room in stored.documents("rocketchat_room") {
            if let Some(name) = names.get_mut(text(room, "_id")) {
                let again = counted.entry(name.clone()).or_default();
                *again += 1;
                if *again > 1 {
                    *name = format!("{name} again");
                }
            }
        }
        for document in seed.files.iter().flat_map(|(_, documents)| documents) {
            names.remove(text(document, "_id"));
        }
        if case.starts_with("csv") {
            names.extend(import_ids);
        }
        Self(names)
    }

    fn of(&self, id: &str) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    fn documents(&self, file: &str, documents: &[Document]) -> BTreeMap<String, Document> {
        let mut named = BTreeMap::new();
        for document in documents {
            let name = self.document(file, document);
            let again = (2..).map(|number| format!("{name} ({number})"));
            let name = std::iter::once(name.clone()).chain(again).find(|name| !named.contains_key(name)).unwrap();
            named.insert(name, self.fields(file, document));
        }
        named
    }

    fn document(&self, file: &str, document: &Document) -> String {
        let id = text(document, "_id");
        let person = || self.of(document.get_document("u").map(|person| text(person, "_id")).unwrap_or_default());
        let room = || self.of(text(document, "rid"));
        match file {
            "rocketchat_subscription" => format!("{}: {}", room(), person()),
            "rocketchat_message" if !id.starts_with("slack-") => {
                format!("{}: {}: {}", room(), person(), text(document, "msg"))
            }
            "rocketchat_message" => id.to_owned(),
            "rocketchat_livechat_contact" | "offered contacts" => text(document, "name").to_owned(),
            "offered users" => text(document, "username").trim().to_owned(),
            "offered channels" => {
                let kind = if document.get_bool("is_private").unwrap_or_default() { "private" } else { "public" };
                format!("{} {kind}", text(document, "name"))
            }
            "rocketchat_import" | "offered" => String::new(),
            _ => self.of(id),
        }
    }

    fn fields(&self, file: &str, document: &Document) -> Document {
        let kept = document.iter().map(|(name, value)| {
            let value = match (name.as_str(), self.value(value)) {
                ("_id", _) => Bson::Null,
                // The ids of offered channels are import ids, new each time with CSV files.
                ("channel_id", _) if file == "offered channels" => Bson::Null,
                ("file", Bson::String(text)) => Bson::String(text.trim_start_matches(char::is_numeric).to_owned()),
                ("uids", Bson::Array(mut uids)) => {
                    uids.sort_by_key(shown);
                    Bson::Array(uids)
                }
                (_, value) => value,
            };
            (name.to_owned(), value)
        });
        kept.collect()
    }

    fn value(&self, value: &Bson) -> Bson {
        match value {
            Bson::String(text) if text.starts_with("$2b$") => Bson::String("$2b$".to_owned()),
            Bson::String(text) => Bson::String(self.of(text)),
            Bson::DateTime(date) if date.timestamp_millis() > LAST_GIVEN_MILLIS => Bson::String("(then)".to_owned()),
            Bson::Array(list) => Bson::Array(list.iter().map(|value| self.value(value)).collect()),
            Bson::Document(fields) => {
                Bson::Document(fields.iter().map(|(name, value)| (self.of(name), self.value(value))).collect())
            }
            other => other.clone(),
        }
    }
}
