//! Whether the time an answer takes tells how near a guessed token is. A measurement, so not among the tests that run by
//! themselves: `cargo test --test api token_timing -- --ignored --nocapture` on a machine that does nothing else.

use std::time::{Duration, Instant};

use crate::harness::{hashed, user, workspace};

const ROUNDS: usize = 4000;
/// Characters of the hash that the nearest guess has right. More take too long to find for a test, and for anybody.
const NEAR: usize = 3;
const TOKEN: &str = "QizJozLOnWMi_2vWaLHhjfd-XYKT6XM40lTZ3zg1UMd";

fn with_near_hash() -> String {
    let wanted = &hashed(TOKEN)[..NEAR];
    (0..u64::MAX).map(|number| format!("{number:043}")).find(|token| hashed(token).starts_with(wanted)).unwrap()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn how_near_a_guess_is_does_not_show_in_the_time() {
    let workspace = workspace().await;
    workspace.add_user(user("victim").admin().with_token(TOKEN)).await;
    let service = workspace.serve().await;
    let guesses = [
        ("nothing right", "x".repeat(TOKEN.len())),
        ("all but the last character right", format!("{}x", &TOKEN[..TOKEN.len() - 1])),
        ("the beginning of the hash right", with_near_hash()),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::with_capacity(ROUNDS); guesses.len()];
    for round in 0..ROUNDS {
        // Each takes each place in turn, so that what changes with time changes for all.
        for place in 0..guesses.len() {
            let kind = (round + place) % guesses.len();
            let started = Instant::now();
            assert_eq!(service.status_as("victim", &guesses[kind].1).await.status, 401);
            times[kind].push(started.elapsed());
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort();
            times[ROUNDS / 2].as_secs_f64() * 1e6
        })
        .collect();
    for ((kind, _), (median, times)) in guesses.iter().zip(medians.iter().zip(&times)) {
        let quarter = |part: usize| times[ROUNDS * part / 4].as_secs_f64() * 1e6;
        println!(
            "{kind}: median {median:.1} us, middle half {:.1} to {:.1} us, {ROUNDS} calls",
            quarter(1),
            quarter(3)
        );
    }
    let (least, most) =
        medians.iter().fold((f64::MAX, 0.0_f64), |(least, most), time| (least.min(*time), most.max(*time)));
    assert!(most / least < 1.05, "{medians:?}");
}
