use arbitrary::{Result, Unstructured};
use bson::{Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, Regex, Timestamp, oid::ObjectId};

/// Nothing deeper is made. Deep documents come from the fuzzer's own bytes.
const DEPTH: u32 = 12;

/// A document with fields of every kind there is, as the fuzzer's bytes have it.
pub fn any_document(bytes: &mut Unstructured<'_>) -> Result<Document> {
    document(bytes, DEPTH)
}

fn document(bytes: &mut Unstructured<'_>, depth: u32) -> Result<Document> {
    let mut document = Document::new();
    while bytes.arbitrary()? {
        document.insert(name(bytes)?, value(bytes, depth)?);
    }
    Ok(document)
}

/// Mostly one that an operation really has. BSON ends a name at its first NUL.
fn name(bytes: &mut Unstructured<'_>) -> Result<String> {
    const KNOWN: [&str; 10] =
        ["_id", "status", "valid", "ts", "count", "importerKey", "__proto__", "toJSON", "$date", ""];
    if bytes.ratio(3, 4)? {
        return Ok((*bytes.choose(&KNOWN)?).to_owned());
    }
    Ok(bytes.arbitrary::<String>()?.replace('\0', ""))
}

fn value(bytes: &mut Unstructured<'_>, depth: u32) -> Result<Bson> {
    let kinds = if depth == 0 { 18 } else { 21 };
    Ok(match bytes.int_in_range(0..=kinds)? {
        0 => Bson::Null,
        1 => Bson::Undefined,
        2 => Bson::MinKey,
        3 => Bson::MaxKey,
        4 => Bson::Boolean(bytes.arbitrary()?),
        5 => Bson::Int32(bytes.arbitrary()?),
        6 => Bson::Int64(bytes.arbitrary()?),
        7 => Bson::Double(bytes.arbitrary()?),
        8 => Bson::String(bytes.arbitrary()?),
        9 => Bson::Symbol(bytes.arbitrary()?),
        10 => Bson::JavaScriptCode(bytes.arbitrary()?),
        11 => Bson::DateTime(DateTime::from_millis(bytes.arbitrary()?)),
        // A moment of these days: all others are most of what 64 bits can say.
        12 => Bson::DateTime(DateTime::from_millis(bytes.int_in_range(-100_000_000_000_000..=300_000_000_000_000)?)),
        13 => Bson::ObjectId(ObjectId::from_bytes(bytes.arbitrary()?)),
        14 => Bson::Decimal128(Decimal128::from_bytes(bytes.arbitrary()?)),
        15 => Bson::Timestamp(Timestamp { time: bytes.arbitrary()?, increment: bytes.arbitrary()? }),
        16 => {
            let subtype: u8 = bytes.arbitrary()?;
            Bson::Binary(Binary { subtype: subtype.into(), bytes: bytes.arbitrary()? })
        }
        17 => {
            let (pattern, options) = (bytes.arbitrary::<String>()?, bytes.arbitrary::<String>()?);
            let without_nul = |text: String| bson::raw::CString::try_from(text.replace('\0', "")).ok();
            match (without_nul(pattern), without_nul(options)) {
                (Some(pattern), Some(options)) => Bson::RegularExpression(Regex { pattern, options }),
                _ => Bson::Null,
            }
        }
        18 => Bson::String(String::new()),
        19 => {
            let mut list = Vec::new();
            while bytes.arbitrary()? {
                list.push(value(bytes, depth - 1)?);
            }
            Bson::Array(list)
        }
        20 => Bson::Document(document(bytes, depth - 1)?),
        _ => {
            let scope = document(bytes, depth - 1)?;
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: bytes.arbitrary()?, scope })
        }
    })
}
