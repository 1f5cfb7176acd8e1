//! Two shims for the same task at once, their store operations interleaved by a seeded scheduler.
//!
//! Real runs of [`flowc_task::task::run`] on a real folder; only the harness is played, since what races is the store.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flowc_protocol::exit::Exit;
use flowc_protocol::known::text;
use flowc_protocol::manifest::Manifest;
use flowc_task::commit::{self, Commit, Place, Record};
use flowc_task::launch::{HarnessProcess, LaunchError, LaunchRequest, Launcher, ProcessExit};
use flowc_task::signals::Stop;
use flowc_task::store::{Gate, Operation, Store, StoreError};
use flowc_task::task::{self, TaskReport};
use serde_json::{Value, json};
use support::{Bed, Silent, check_store, manifest_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::{Notify, oneshot};

const SEEDS: u64 = 500;

/// What user code does in one shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plays {
    Success,
    Failure,
}

/// A harness that leaves one artifact, which names its shim.
struct Played {
    name: &'static str,
    plays: Plays,
}

#[async_trait]
impl Launcher for Played {
    async fn launch(&self, _request: LaunchRequest) -> Result<HarnessProcess, LaunchError> {
        let (ours, theirs) = StdStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (sender, exit) = oneshot::channel();
        let socket = UnixStream::from_std(theirs).unwrap();
        let (name, plays) = (self.name, self.plays);
        tokio::spawn(async move {
            play(socket, name, plays).await;
            let _ = sender.send(ProcessExit::Code(0));
        });
        // Their other ends are closed at once: user code prints nothing.
        let (stdout, _) = std::io::pipe().unwrap();
        let (stderr, _) = std::io::pipe().unwrap();
        Ok(HarnessProcess {
            control: UnixStream::from_std(ours).unwrap(),
            stdout: pipe::Receiver::from_owned_fd(stdout.into()).unwrap(),
            stderr: pipe::Receiver::from_owned_fd(stderr.into()).unwrap(),
            // No process group has this number, so that killing it does nothing.
            pid: i32::MAX,
            on_terminal: false,
            exit,
        })
    }
}

async fn play(mut socket: UnixStream, name: &str, plays: Plays) {
    use base64::Engine;
    let pickle = base64::engine::general_purpose::STANDARD.encode(text(name));
    let exception = json!({"type": "ValueError", "message": "no", "line": "ValueError: no"});
    send(
        &mut socket,
        &json!({"op": "hello", "protocol": flowc_protocol::PROTOCOL, "python": "played"}),
    )
    .await;
    if receive(&mut socket).await.is_none() {
        return;
    }
    send(
        &mut socket,
        &json!({"op": "artifact", "name": "x", "type": "<class 'str'>", "data": pickle}),
    )
    .await;
    let ok = plays == Plays::Success;
    let exception = if ok { Value::Null } else { exception };
    send(
        &mut socket,
        &json!({"op": "finish", "ok": ok, "exception": exception}),
    )
    .await;
    receive(&mut socket).await;
}

async fn send(socket: &mut UnixStream, frame: &Value) {
    let body = serde_json::to_vec(frame).unwrap();
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend(body);
    // The shim hangs up on a harness that it does not need.
    let _ = socket.write_all(&bytes).await;
}

async fn receive(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).await.ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// Lets one operation happen at a time, chosen by a seed among those that wait, once every running shim waits.
#[derive(Default)]
struct Scheduler {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    running: usize,
    next: u64,
    waiting: BTreeMap<u64, (usize, oneshot::Sender<()>)>,
    busy: bool,
    history: Vec<String>,
    commit: Option<Vec<u8>>,
}

struct Turn {
    scheduler: Arc<Scheduler>,
    shim: usize,
    commit: std::path::PathBuf,
}

#[async_trait]
impl Gate for Turn {
    async fn enter(&self, operation: Operation, key: &str) -> Result<(), StoreError> {
        let (sender, granted) = oneshot::channel();
        {
            let mut state = self.scheduler.state.lock().unwrap();
            let number = state.next;
            state.next += 1;
            state.waiting.insert(number, (self.shim, sender));
        }
        self.scheduler.changed.notify_one();
        granted.await.unwrap();
        let mut state = self.scheduler.state.lock().unwrap();
        state
            .history
            .push(format!("{} {operation:?} {key}", self.shim));
        Ok(())
    }

    async fn leave(&self, _operation: Operation, _key: &str) {
        let mut state = self.scheduler.state.lock().unwrap();
        let now = std::fs::read(&self.commit).ok();
        if state.commit.is_some() {
            assert_eq!(
                state.commit, now,
                "the commit changed: {:#?}",
                state.history
            );
        }
        state.commit = now;
        state.busy = false;
        drop(state);
        self.scheduler.changed.notify_one();
    }
}

impl Scheduler {
    /// Grants turns until no shim runs any more.
    async fn run(&self, mut seed: u64) {
        loop {
            // What the shims do between two operations takes a few polls of their sockets.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            {
                let mut state = self.state.lock().unwrap();
                if state.running == 0 {
                    return;
                }
                let shims: std::collections::BTreeSet<_> =
                    state.waiting.values().map(|(shim, _)| *shim).collect();
                if !state.busy && shims.len() == state.running {
                    seed = seed
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let chosen = (seed >> 33) as usize % state.waiting.len();
                    let key = *state.waiting.keys().nth(chosen).unwrap();
                    let (_, sender) = state.waiting.remove(&key).unwrap();
                    state.busy = true;
                    sender.send(()).unwrap();
                }
            }
            self.changed.notified().await;
        }
    }

    fn left(&self) {
        self.state.lock().unwrap().running -= 1;
        self.changed.notify_one();
    }
}

fn manifest(retries: u32) -> Manifest {
    let steps = json!({
        "start": {"type": "linear", "next": ["end"], "parents": []},
        "end": {"type": "end", "next": [], "parents": ["start"], "retries": retries},
    });
    manifest_of("RaceFlow", "start", "end", &steps, &json!([]))
}

/// A committed start step, so that `end` can run.
async fn commit_parent(store: &Store, run: &str) {
    let place = Place::new("RaceFlow", run, "start", "t");
    let data: Record = serde_json::from_value(json!({
        "datastore": "local", "version": "1.0", "attempt": 0, "python_version": "played",
        "objects": {}, "info": {},
    }))
    .unwrap();
    let parent = Commit {
        protocol: flowc_protocol::PROTOCOL,
        attempt: 0,
        claim: "parent".to_owned(),
        count: None,
        next: None,
        iteration: None,
        foreach: Vec::new(),
        known: None,
        package: None,
        triggers: Vec::new(),
        end: None,
        origin: None,
        data,
    };
    commit::commit(store, &place, &parent).await.unwrap();
}

async fn shim(
    bed: &Bed,
    scheduler: &Arc<Scheduler>,
    number: usize,
    plays: Plays,
    orchestrator_attempt: u32,
) -> TaskReport {
    let turn = Turn {
        scheduler: Arc::clone(scheduler),
        shim: number,
        commit: bed
            .store
            .local_root()
            .unwrap()
            .join("RaceFlow/argo-test/end/t/commit"),
    };
    let store = bed.store.with_gate(Arc::new(turn));
    let mut request = bed.request("end", "-");
    request.orchestrator_attempt = Some(orchestrator_attempt);
    let launcher = Played {
        name: ["first", "second"][number],
        plays,
    };
    let report = task::run(&store, &request, &launcher, &Silent, Stop::never()).await;
    scheduler.left();
    report
}

/// One interleaving; what it came to, for the count at the end.
async fn race(seed: u64, plays: [Plays; 2], same_number: bool, retries: u32) -> &'static str {
    let bed = Bed::new("", manifest(retries));
    commit_parent(&bed.store, "argo-test").await;
    let scheduler = Arc::new(Scheduler::default());
    scheduler.state.lock().unwrap().running = 2;
    let (first, second, ()) = tokio::join!(
        shim(&bed, &scheduler, 0, plays[0], 0),
        shim(&bed, &scheduler, 1, plays[1], u32::from(!same_number)),
        scheduler.run(seed),
    );
    let what = || {
        format!(
            "seed {seed}, {plays:?}, retries {retries}: {first:?} {second:?} {:#?}",
            scheduler.state.lock().unwrap().history
        )
    };
    let root = bed.store.local_root().unwrap();
    check_store(root, "RaceFlow");
    let place = Place::new("RaceFlow", "argo-test", "end", "t");
    let commit = commit::find(&bed.store, &place).await.unwrap();
    let reports = [&first, &second];
    let ran_well = (0..2).any(|i| plays[i] == Plays::Success && reports[i].attempt.is_some());
    assert_eq!(ran_well, commit.is_some(), "{}", what());
    for (report, plays) in reports.iter().zip(plays) {
        if plays == Plays::Success && report.attempt.is_some() {
            assert_eq!(report.exit, Exit::Done, "{}", what());
        }
        if report.exit == Exit::Done {
            assert!(commit.is_some(), "{}", what());
        }
    }
    if let Some(commit) = &commit {
        // A start that finds a finished record commits it for the shim that wrote it, and then both adopt.
        let mut owners = (0..2).filter(|i| reports[*i].attempt == Some(commit.attempt));
        let owner = owners.next().unwrap();
        assert_eq!(owners.next(), None, "{}", what());
        assert_eq!(plays[owner], Plays::Success, "{}", what());
        let key = flowc_protocol::known::key_of(&text(["first", "second"][owner]));
        assert_eq!(commit.data.objects["x"], key, "{}", what());
        let winners = reports
            .iter()
            .filter(|report| report.exit == Exit::Done && !report.adopted);
        assert!(winners.count() <= 1, "{}", what());
    }
    // A later start settles what the loser of a photo finish could not know.
    let launcher = Played {
        name: "third",
        plays: Plays::Success,
    };
    let later = task::run(
        &bed.store,
        &bed.request("end", "-"),
        &launcher,
        &Silent,
        Stop::never(),
    )
    .await;
    if let Some(commit) = &commit {
        assert_eq!(
            (later.exit, later.adopted),
            (Exit::Done, true),
            "{}",
            what()
        );
        check_readers_view(&root.join(&place.prefix), commit);
        return "a winner";
    }
    if later.exit == Exit::Done {
        "failures, then a success"
    } else {
        "failures"
    }
}

fn check_readers_view(task: &Path, commit: &Commit) {
    let highest = (0..6)
        .rev()
        .find(|attempt| task.join(format!("{attempt}.attempt.json")).exists());
    let highest = highest.unwrap();
    assert!(task.join(format!("{highest}.DONE.lock")).exists());
    let record = std::fs::read(task.join(format!("{highest}.data.json"))).unwrap();
    let record: Record = serde_json::from_slice(&record).unwrap();
    assert_eq!(record.objects, commit.data.objects);
}

#[tokio::test]
async fn one_wins_and_a_success_is_never_lost() {
    use Plays::{Failure, Success};
    let pairs = [
        [Success, Success],
        [Success, Failure],
        [Failure, Success],
        [Failure, Failure],
    ];
    let mut counts = BTreeMap::new();
    for seed in 0..SEEDS {
        let plays = pairs[(seed % 4) as usize];
        let same_number = seed / 4 % 2 == 0;
        let retries = [1, 0, 2][(seed / 8 % 3) as usize];
        let came_to = Box::pin(race(seed, plays, same_number, retries)).await;
        *counts
            .entry((format!("{plays:?}"), retries, came_to))
            .or_insert(0) += 1;
    }
    for ((plays, retries, came_to), count) in &counts {
        println!("{plays} with {retries} retries: {came_to} {count} times");
    }
    assert_eq!(counts.values().sum::<u64>(), SEEDS);
}
