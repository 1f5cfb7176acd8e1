//! The store on S3: an emulator for whole tasks, and a played server for answers that an emulator does not give.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowc_protocol::exit::Exit;
use flowc_task::commit::{self, Place, Start};
use flowc_task::store::{Put, StoreError};
use serde_json::json;
use support::moto::{Moto, open};
use support::{Bed, manifest_of, pack};

const FLOW: &str = r#"
from metaflow import FlowSpec, step
import os

class CloudFlow(FlowSpec):
    @step
    def start(self):
        self.noise = os.urandom(20_000_000)
        self.text = b"0123456789" * 1_000_000
        self.size = 20_000_000
        self.words = ["a list", "may have changed"]
        self.next(self.middle)

    @step
    def middle(self):
        self.answer = 42
        print("a line")
        self.next(self.end)

    @step
    def end(self):
        assert len(self.noise) == self.size and self.text == b"0123456789" * 1_000_000
        assert len(self.words) == 2
        print("the answer is", self.answer)

if __name__ == "__main__":
    CloudFlow()
"#;

/// The whole of DESIGN §3's promise: a trivial task costs at most eight requests, counted by the server.
#[test]
fn a_flow_runs_on_s3_within_its_requests() {
    let moto = Moto::start();
    let steps = json!({
        "start": {"type": "linear", "next": ["middle"], "parents": []},
        "middle": {"type": "linear", "next": ["end"], "parents": ["start"]},
        "end": {"type": "end", "next": [], "parents": ["middle"]},
    });
    let bed = Bed::new(
        FLOW,
        manifest_of("CloudFlow", "start", "end", &steps, &json!([])),
    );
    let (package, key, bytes) = pack(&bed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = moto.store("flows");
    runtime.block_on(async {
        store.probe().await.unwrap();
        store.put_new(&key, bytes.into()).await.unwrap();
    });
    for step in ["start", "middle", "end"] {
        let before = moto.requests().len();
        let output = moto.shim(&package, step).output().unwrap();
        assert!(
            output.status.success(),
            "{step}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let requests = moto.requests().split_off(before);
        if step == "middle" {
            println!("a trivial task made {} requests", requests.len());
            assert!(requests.len() <= 8, "{requests:#?}");
        }
        if step == "end" {
            assert_eq!(output.stdout, b"the answer is 42\n");
            // It read all artifacts and changed none.
            let saved = requests
                .iter()
                .find(|line| line.contains("PUT") && line.contains("/CloudFlow/data/"));
            assert_eq!(saved, None, "{requests:#?}");
        }
    }
    let log = runtime
        .block_on(store.get("CloudFlow/argo-test/middle/t/0.task_stdout.log"))
        .unwrap()
        .unwrap();
    assert!(log.ends_with(b"]a line\n"));
    let commit = runtime
        .block_on(store.get("CloudFlow/argo-test/start/t/commit"))
        .unwrap()
        .unwrap();
    let commit: serde_json::Value = serde_json::from_slice(&commit).unwrap();
    let metadata = |name: &str| {
        let key = commit["data"]["objects"][name].as_str().unwrap();
        let key = format!("root/CloudFlow/data/{}/{key}", &key[..2]);
        moto.boto(&format!(
            "print(s3.head_object(Bucket='flows', Key='{key}')['Metadata'])"
        ))
    };
    assert!(
        metadata("noise")
            .contains("'metaflow-user-attributes': '{\"cas_raw\": true, \"cas_version\": 1}'")
    );
    assert_eq!(metadata("text").trim(), "{}");
    let open_uploads = moto.boto("print(s3.list_multipart_uploads(Bucket='flows').get('Uploads'))");
    assert_eq!(open_uploads.trim(), "None");

    // A bucket that is not there is named, at once.
    let began = Instant::now();
    let output = moto
        .shim(&package, "start")
        .env("FLOWC_STORE", "s3://no-such-bucket/root")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(Exit::Configuration.code())),
        "{said}"
    );
    assert!(
        said.contains("s3://no-such-bucket/root") && said.lines().count() == 1,
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(matches!(
        runtime.block_on(moto.store("no-such-bucket").probe()),
        Err(StoreError::NoBucket { .. })
    ));
}

/// A server with objects in memory that can be told to misbehave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// Refuses everyone.
    Denies,
    /// Answers the first requests with 503.
    IsBusyAtFirst,
    /// Applies the first write and hangs up before it answers.
    HangsUpAfterWriting,
    /// Does not know `If-None-Match`.
    Overwrites,
}

fn serve(manners: Manners) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let objects = Arc::new(Mutex::new(HashMap::<String, Vec<u8>>::new()));
    let count = Arc::new(Mutex::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (objects, count) = (Arc::clone(&objects), Arc::clone(&count));
            std::thread::spawn(move || {
                // A client that hangs up ends its thread.
                let _ = answer(&stream, manners, &objects, &count);
            });
        }
    });
    format!("http://{address}")
}

fn answer(
    stream: &TcpStream,
    manners: Manners,
    objects: &Mutex<HashMap<String, Vec<u8>>>,
    count: &Mutex<u32>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut stream = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let (mut length, mut create_only) = (0, false);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            create_only |= header.starts_with("if-none-match:");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let number = {
            let mut count = count.lock().unwrap();
            *count += 1;
            *count
        };
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
        let mut objects = objects.lock().unwrap();
        let (status, text) = if manners == Manners::Denies {
            (
                "403 Forbidden",
                b"<Error><Code>AccessDenied</Code></Error>".to_vec(),
            )
        } else if manners == Manners::IsBusyAtFirst && number <= 3 {
            (
                "503 Slow Down",
                b"<Error><Code>SlowDown</Code></Error>".to_vec(),
            )
        } else if method == "PUT" {
            if create_only && manners != Manners::Overwrites && objects.contains_key(&path) {
                ("412 Precondition Failed", Vec::new())
            } else {
                objects.insert(path, body);
                if manners == Manners::HangsUpAfterWriting && number == 1 {
                    return stream.shutdown(std::net::Shutdown::Both);
                }
                ("200 OK", Vec::new())
            }
        } else if let Some(bytes) = objects.get(&path) {
            ("200 OK", bytes.clone())
        } else {
            (
                "404 Not Found",
                b"<Error><Code>NoSuchKey</Code></Error>".to_vec(),
            )
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"x\"\r\nlast-modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\n",
            text.len()
        )?;
        stream.write_all(&text)?;
    }
}

#[tokio::test]
async fn denied_access_is_named_at_once() {
    let store = open(&serve(Manners::Denies), "flows");
    let began = Instant::now();
    let error = store.probe().await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Configuration);
    assert!(error.to_string().contains("s3://flows/root/"), "{error}");
    assert!(store.get("F/x").await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let store = open(&serve(Manners::IsBusyAtFirst), "flows");
    assert_eq!(
        store
            .put_new("F/x", Bytes::from_static(b"1"))
            .await
            .unwrap(),
        Put::Created
    );
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_still_ours() {
    let store = open(&serve(Manners::HangsUpAfterWriting), "flows");
    let place = Place::new("F", "run", "start", "t");
    let start = commit::claim(&store, &place, 0, None).await.unwrap();
    assert!(
        matches!(start, Start::Claimed { attempt: 0, .. }),
        "{start:?}"
    );
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused() {
    let store = open(&serve(Manners::Overwrites), "flows");
    let error = store.probe().await.unwrap_err();
    assert!(
        matches!(error, StoreError::NotConditional { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("s3://flows/root"), "{error}");
}
