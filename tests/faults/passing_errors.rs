//! Errors of the database that pass: one of each code in the middle of an import, which goes on.

use std::time::Duration;

use bson::{Bson, doc};
use tokio::time::sleep;

use crate::{replica_set::ReplicaSet, trial::Trial};

/// Commands and codes that once ended an import: exceeded time limits, interrupted and killed operations, write conflicts, and
/// the code in which Atlas wraps its own refusals.
const ERRORS: [(&str, i32); 12] = [
    ("getMore", 262),
    ("getMore", 134),
    ("getMore", 11_601),
    ("getMore", 46),
    ("insert", 262),
    ("insert", 112),
    ("insert", 8_000),
    ("insert", 50),
    ("aggregate", 50),
    ("aggregate", 8_000),
    ("update", 112),
    ("find", 134),
];
const FAILURES: i32 = 2;
/// Time for a fault to have its effect before the next.
const REST: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_passes_does_not_end_an_import() {
    let set = ReplicaSet::of_three().await;
    let mut trial = Trial::begin("commands fail twice: 46, 50, 112, 134, 262, 8000, 11601", set).await;
    trial.fault_over();
    for (command, code) in ERRORS {
        let what = doc! { "failCommands": [command], "errorCode": code };
        set.fail(set.primary().await, Bson::from(doc! { "times": FAILURES }), what).await;
        sleep(REST).await;
    }
    set.fail(set.primary().await, Bson::from("off"), doc! {}).await;
    trial.count_from_now();
    trial.reckon().await;
}
