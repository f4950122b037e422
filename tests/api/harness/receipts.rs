//! Receipts as a run stores them.

use bson::{DateTime, Document, doc};

use super::Workspace;

/// Records of one batch.
const BATCH: usize = 500;
const HOUR_MILLIS: i64 = 3_600_000;

impl Workspace {
    /// The receipts of an operation with these records, which need `_id` and `outcome`.
    pub async fn add_receipts(&self, operation: &str, records: Vec<Document>) {
        let batches: Vec<Document> = records
            .chunks(BATCH)
            .enumerate()
            .map(|(number, records)| {
                let count = |outcome: &str| {
                    let count = records.iter().filter(|record| record.get_str("outcome").unwrap() == outcome).count();
                    i64::try_from(count).unwrap()
                };
                let failed = count("failed");
                doc! {
                    "_id": format!("{operation}:{number:010}"),
                    "operation": operation,
                    "batch": i64::try_from(number).unwrap(),
                    "epoch": 1_i64,
                    "dataType": "user",
                    "first": records[0].get_str("_id").unwrap(),
                    "last": records[records.len() - 1].get_str("_id").unwrap(),
                    "completed": i64::try_from(records.len()).unwrap() - failed,
                    "error": failed,
                    "outcomes": {
                        "created": count("created"), "linked": count("linked"), "updated": count("updated"),
                        "same": count("same"), "failed": failed,
                    },
                    "records": records,
                    "at": DateTime::now(),
                    "expires": DateTime::from_millis(DateTime::now().timestamp_millis() + HOUR_MILLIS),
                }
            })
            .collect();
        for some in batches.chunks(20) {
            self.collection("rocketchat_import_service_receipts").insert_many(some).await.unwrap();
        }
    }
}
