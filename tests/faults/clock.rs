//! The clocks of the instances jump, and disagree by hours.

use std::{fs, path::Path};

use chrono::{TimeDelta, Utc};
use tempfile::NamedTempFile;

use crate::{
    harness::{Service, Workspace, eventually, program},
    replica_set::ReplicaSet,
    trial::{PATIENCE, Trial, USERS},
};

/// Of Debian's package `libfaketime`, under the folder of the machine's own kind.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// A clock that only one process reads.
struct Clock(NamedTempFile);

impl Clock {
    fn right() -> Self {
        let clock = Self(NamedTempFile::new().unwrap());
        clock.jumps_to("+0");
        clock
    }

    /// Sets it: `offset` is how far it is off, in hours or seconds.
    fn jumps_to(&self, offset: &str) {
        // In one step, as it is read all the time.
        let next = self.0.path().with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, self.0.path()).unwrap();
    }

    /// An instance that goes by it. Waiting times are not measured with it, on any machine.
    async fn serve(&self, workspace: &Workspace) -> Service {
        let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
        let library = library.expect("libfaketime, of Debian's package of this name; .ci/faults installs it");
        let mut command = program(&["serve"], &[("PORT", "0"), ("RUST_LOG", "info"), ("MONGO_URL", &workspace.url)]);
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", self.0.path());
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Service::launch(command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_by_an_hour_lose_and_double_nobody() {
    let set = ReplicaSet::of_three().await;
    let workspace = set.workspace().await;
    let clocks = [Clock::right(), Clock::right()];
    let services = vec![clocks[0].serve(&workspace).await, clocks[1].serve(&workspace).await];
    let mut trial =
        Trial::over("clocks of two instances jump by ±1 h, then one is killed", workspace, services, USERS).await;
    trial.fault_over();
    let later = (Utc::now() + TimeDelta::minutes(55)).to_rfc3339();
    for (first, second) in [("+1h", "-1h"), ("-1h", "+1h"), ("+0", "-1h")] {
        clocks[0].jumps_to(first);
        clocks[1].jumps_to(second);
        // What was written last may have been written before.
        eventually("the jump is told", PATIENCE, async || trial.witness.furthest().unwrap().changed > later).await;
        trial.goes_on().await;
    }
    assert_eq!(trial.services[1].log_lines("taking over"), [""; 0], "a lease does not go by the clocks of instances");
    assert!(!trial.is_over(), "the import was over before the instance was killed");
    trial.services.remove(0).kill();
    trial.fault_over();
    trial.reckon().await;
}
