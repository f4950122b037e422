//! The network between the service and its database is cut, and heals.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use crate::{
    proxy::{Proxy, Weather},
    replica_set::{ELECTION_TIMEOUT, ReplicaSet, free_port},
    trial::Trial,
};

/// Longer than an election takes.
const CUT: Duration = Duration::from_secs(5);
/// How long it takes to store accounts on a server that is slow at it.
const STORING: Duration = Duration::from_millis(300);

/// A replica set of which each member is reached through a network of its own.
pub async fn behind_proxies(members: usize, election_timeout: Duration) -> (ReplicaSet, Vec<Proxy>) {
    let ports: Vec<u16> = (0..members).map(|_| free_port()).collect();
    let proxies = join_all(ports.iter().map(|port| Proxy::to(*port))).await;
    let known_by: Vec<u16> = proxies.iter().map(|proxy| proxy.port).collect();
    (ReplicaSet::start(&ports, &known_by, election_timeout).await, proxies)
}

/// What it stored last nobody else has, but that it did so is heard of when there is a new primary already.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_whose_last_words_arrive_after_the_next_election_loses_and_doubles_nobody() {
    let (set, networks) = behind_proxies(3, ELECTION_TIMEOUT).await;
    let mut trial = Trial::begin("primary cut off, then killed; its last answers arrive late", &set).await;
    let primary = set.primary().await;
    // So that there are last words: accounts are being stored at any moment.
    set.delay(primary, "insert", STORING).await;
    sleep(STORING * 2).await;
    networks[primary].becomes(Weather::Stalled);
    sleep(STORING * 2).await;
    set.members[primary].kill();
    trial.fault_over();
    set.successor(primary).await;
    networks[primary].becomes(Weather::Fine);
    trial.reckon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_and_heals_loses_and_doubles_nobody() {
    for (fault, weather) in [
        ("network cut: connections closed for 5 s", Weather::Closed),
        ("network cut: silence for 5 s, old connections dead for ever", Weather::Silent),
        ("network cut: nothing arrives for 5 s", Weather::Stalled),
        ("network slow (0.5 s there and back) for 5 s", Weather::Slow),
    ] {
        let (set, networks) = behind_proxies(1, ELECTION_TIMEOUT).await;
        let mut trial = Trial::begin(fault, &set).await;
        networks[0].becomes(weather);
        sleep(CUT).await;
        networks[0].becomes(Weather::Fine);
        trial.fault_over();
        trial.reckon().await;
    }
}
