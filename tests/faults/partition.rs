//! A primary is cut off from the other members of its replica set, but not from everybody who asks it.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use mongodb::{
    Client, Collection,
    options::{CollectionOptions, WriteConcern},
};
use tokio::time::sleep;

use crate::{
    harness::{Service, Workspace, eventually, operation, user},
    network::behind_proxies,
    proxy::{Caller, Proxy},
    replica_set::ReplicaSet,
    trial::{PATIENCE, Trial, USERS},
    witness::{Seen, Told, Witness, wrongs},
};

/// Time for something to happen on both sides before the primary that was cut off steps down.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(8);
/// How much later it may step down on a machine that has other things to do.
const SLACK: Duration = Duration::from_secs(2);
/// An instance that reaches the new primary hears of it within this time.
const NEWS: Duration = Duration::from_secs(1);
/// How long a cut lasts after the primary has stepped down.
const AFTERWARDS: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// What instances call themselves to the servers: one beside the primary that is cut off, one beside the others.
const INSIDE: &str = "inside";
const OUTSIDE: &str = "outside";

/// Three servers, and the network in front of each.
struct Networks {
    set: ReplicaSet,
    proxies: Vec<Proxy>,
    primary: usize,
}

impl Networks {
    async fn start() -> Self {
        let (set, proxies) = behind_proxies(3, ELECTION_TIMEOUT).await;
        let primary = set.primary().await;
        Self { set, proxies, primary }
    }

    /// Cuts the primary, and the instance inside, off from the two others and the instance outside. When this returns, one
    /// of the others is the primary, too.
    async fn part(&self) -> Parted {
        let outside: Vec<usize> = (0..self.proxies.len()).filter(|member| *member != self.primary).collect();
        // The one that is to follow the other does so already: it looks for somebody to follow for seconds.
        let (successor, follower) = (outside[0], outside[1]);
        self.set.follows(follower, successor).await;
        let server = |member: usize| Caller::Server(self.set.members[member].port);
        let cut = Instant::now();
        for member in &outside {
            self.proxies[*member].cuts_off([server(self.primary), Caller::Service(INSIDE)]);
        }
        let those_outside = outside.iter().map(|member| server(*member));
        self.proxies[self.primary].cuts_off(those_outside.chain([Caller::Service(OUTSIDE)]));
        eventually("another one is elected", ELECTION_TIMEOUT, async || self.set.step_up(successor).await).await;
        assert!(self.set.is_primary(self.primary).await, "the one that is cut off does not know yet");
        Parted { cut, successor }
    }

    fn heal(&self) {
        self.proxies.iter().for_each(|proxy| proxy.cuts_off([]));
    }

    /// The database on this member alone, past all proxies.
    fn direct_url(&self, member: usize, of: &Workspace) -> String {
        let port = self.set.members[member].port;
        format!("mongodb://127.0.0.1:{port}/{}?directConnection=true", of.database.name())
    }

    /// A collection as this member has it, where writes are confirmed as `concern` says.
    async fn collection(
        &self,
        member: usize,
        of: &Workspace,
        name: &str,
        concern: WriteConcern,
    ) -> Collection<Document> {
        let url = self.direct_url(member, of);
        let options = CollectionOptions::builder().write_concern(concern).build();
        Client::with_uri_str(url).await.unwrap().database(of.database.name()).collection_with_options(name, options)
    }
}

struct Parted {
    cut: Instant,
    successor: usize,
}

impl Parted {
    /// When the last answer may come that does not know of the new primary.
    fn limit(&self) -> Instant {
        self.cut + ELECTION_TIMEOUT + SLACK
    }

    #[allow(clippy::print_stdout, reason = "the numbers are to be seen")]
    fn hold_to_the_limit(&self, stale_until: Instant) {
        let stale_for = stale_until - self.cut;
        println!("the last stale answer to a request {stale_for:.1?} after the cut");
        assert!(stale_until < self.limit(), "{stale_for:?}");
    }
}

async fn serve_as(name: &str, workspace: &Workspace) -> Service {
    let service = Service::start(&[("MONGO_URL", &format!("{}&appName={name}", workspace.url))]).await;
    service.ready().await;
    service
}

async fn completed(service: &Service) -> Option<i64> {
    let answer = service.status().await;
    match answer.status.as_u16() {
        200 => answer.json()["operation"]["count"]["completed"].as_i64(),
        503 => None,
        _ => panic!("{}", answer.body),
    }
}

/// An answer of a service, and the time of the request.
struct Said<T> {
    asked: Instant,
    value: T,
}

/// What a service says to three callers: how many are completed, and whether it lets in one whose token was taken and one
/// whose role was.
struct Answers {
    completed: Option<i64>,
    is_known: Option<bool>,
    is_admitted: Option<bool>,
}

impl Answers {
    async fn of(service: &Service) -> Said<Self> {
        let asked = Instant::now();
        let (completed, known, admitted) = tokio::join!(
            completed(service),
            service.status_as("known", "known-token"),
            service.status_as("admitted", "admitted-token"),
        );
        let is_let_in = |status: u16, refusal: u16| match status {
            200 => Some(true),
            503 => None,
            other => {
                assert_eq!(other, refusal);
                Some(false)
            }
        };
        let is_known = is_let_in(known.status.as_u16(), 401);
        let is_admitted = is_let_in(admitted.status.as_u16(), 403);
        Said { asked, value: Self { completed, is_known, is_admitted } }
    }

    fn is_stale(&self) -> [bool; 3] {
        [self.completed == Some(1), self.is_known == Some(true), self.is_admitted == Some(true)]
    }

    fn is_fresh(&self) -> bool {
        (self.completed, self.is_known, self.is_admitted) == (Some(2), Some(false), Some(false))
    }
}

/// A service beside the primary that was cut off says what was so at the cut, for as long as that one believes to be the
/// primary; and nobody else does. The second one inside knows of no other server.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_so_before_a_cut_counts_inside_it_for_as_long_as_an_election_takes_and_nowhere_else() {
    let networks = Networks::start().await;
    let workspace = networks.set.workspace().await;
    for (id, token) in [("known", "known-token"), ("admitted", "admitted-token")] {
        workspace.add_user(user(id).admin().with_token(token)).await;
    }
    workspace.add_operation(operation("one").with("count", doc! { "total": 9, "completed": 1 })).await;
    let inside = serve_as(INSIDE, &workspace).await;
    let outside = serve_as(OUTSIDE, &workspace).await;
    let direct = networks.direct_url(networks.primary, &workspace);
    let inside_alone = Service::start(&[("MONGO_URL", &direct)]).await;
    inside_alone.ready().await;
    let on_both_sides = workspace.serve().await;
    on_both_sides.ready().await;
    for service in [&inside, &inside_alone, &outside, &on_both_sides] {
        assert_eq!(Answers::of(service).await.value.is_stale(), [true; 3]);
    }

    let parted = networks.part().await;
    let changes = [
        ("rocketchat_import", "one", doc! { "$set": { "count.completed": 2 } }),
        ("users", "known", doc! { "$set": { "services.resume.loginTokens": [] } }),
        ("users", "admitted", doc! { "$set": { "roles": ["user"] } }),
    ];
    for (name, id, change) in changes {
        let collection = networks.collection(parted.successor, &workspace, name, WriteConcern::majority()).await;
        collection.update_one(doc! { "_id": id }, change).await.unwrap();
    }
    let written = Instant::now();
    let mut stale_until = [[None; 3]; 2];
    while Instant::now() < parted.limit() + AFTERWARDS {
        let (from_inside, from_alone, from_outside, from_both) = tokio::join!(
            Answers::of(&inside),
            Answers::of(&inside_alone),
            Answers::of(&outside),
            Answers::of(&on_both_sides),
        );
        assert!(from_outside.value.is_fresh(), "beside the new primary");
        assert!(from_both.value.is_fresh() || from_both.asked < written + NEWS, "where both primaries are reached");
        for (stale_until, said) in stale_until.iter_mut().zip([from_inside, from_alone]) {
            for (until, is_stale) in stale_until.iter_mut().zip(said.value.is_stale()) {
                if is_stale {
                    *until = Some(said.asked);
                }
            }
        }
        sleep(PAUSE).await;
    }
    assert_eq!(inside_alone.get("/readyz").await.status, 503, "its only server is no primary");
    for until in stale_until.into_iter().flatten() {
        let until = until.expect("what the cut-off primary says counts for a while");
        parted.hold_to_the_limit(until);
    }

    networks.heal();
    eventually("the service inside knows, too", PATIENCE, async || {
        let (inside, alone) = tokio::join!(Answers::of(&inside), Answers::of(&inside_alone));
        assert_eq!((inside.value.is_stale(), alone.value.is_stale()), ([false; 3], [false; 3]), "nothing comes back");
        inside.value.is_fresh()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_primary_that_is_cut_off_has_stored_is_never_told() {
    let networks = Networks::start().await;
    let workspace = networks.set.workspace().await;
    workspace.add_operation(operation("one").with("count", doc! { "total": 9, "completed": 1 })).await;
    let inside = serve_as(INSIDE, &workspace).await;
    assert_eq!(completed(&inside).await, Some(1));
    let parted = networks.part().await;
    let alone = networks.collection(networks.primary, &workspace, "rocketchat_import", WriteConcern::nodes(1)).await;
    alone.update_one(doc! { "_id": "one" }, doc! { "$set": { "count.completed": 9 } }).await.unwrap();
    let mut told = Vec::new();
    while Instant::now() < parted.limit() {
        told.push(completed(&inside).await);
        sleep(PAUSE).await;
    }
    assert!(told.iter().all(Option::is_none), "{told:?}");
    networks.heal();
    let others = networks.collection(parted.successor, &workspace, "rocketchat_import", WriteConcern::majority()).await;
    others.update_one(doc! { "_id": "one" }, doc! { "$set": { "count.completed": 2 } }).await.unwrap();
    eventually("the service knows what the others have", PATIENCE, async || {
        let told = completed(&inside).await;
        assert_ne!(told, Some(9));
        told == Some(2)
    })
    .await;
}

/// The instance that runs the import is inside, another one goes on with it outside.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_cut_off_with_the_instance_that_runs_the_import_loses_and_doubles_nobody() {
    let networks = Networks::start().await;
    let workspace = networks.set.workspace().await;
    let services = vec![serve_as(INSIDE, &workspace).await, serve_as(OUTSIDE, &workspace).await];
    let mut trial =
        Trial::over("primary and the instance at work cut off from the others", workspace, services, USERS).await;
    let inside = Witness::of(&trial.services[0].address, &trial.workspace);
    let parted = networks.part().await;
    trial.fault_over();
    eventually("the import ends outside", PATIENCE, async || trial.is_over()).await;
    sleep(parted.limit().saturating_duration_since(Instant::now()) + AFTERWARDS).await;
    networks.heal();
    networks.set.well().await;
    eventually("the end is known inside", PATIENCE, async || inside.furthest().is_some_and(|told| told.is_over()))
        .await;
    let said_inside = inside.stop().await;
    assert_eq!(wrongs(&said_inside), [""; 0]);
    let said_outside = trial.witness.so_far();
    // While the run here moves the counters of the cut-off primary alone, nothing is said of them at all.
    let late = said_inside.iter().filter(|said| said.asked >= parted.limit());
    let stale: Vec<&Seen> = late.filter(|said| is_older_than_one_before(said, &said_outside)).collect();
    assert!(stale.is_empty(), "{stale:?}");
    trial.reckon().await;
}

/// Whether another answer said more before this request was made.
fn is_older_than_one_before(said: &Seen, others: &[Seen]) -> bool {
    let Told::Operation(version) = &said.told else { return false };
    others.iter().filter(|other| other.answered < said.asked).any(|other| match &other.told {
        Told::Operation(before) => !version.may_follow(before),
        _ => false,
    })
}
