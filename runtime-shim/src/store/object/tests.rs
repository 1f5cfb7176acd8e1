//! A bucket that answers as it is told, on a port of this machine.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::commit::{self, Place};
use crate::store::{Put, Store, StoreError};

type Answer = Box<dyn Fn(&str, usize) -> (&'static str, String) + Send + Sync>;

/// What was asked, as `PUT /bucket/root/key`, each by one connection.
#[derive(Clone)]
struct Bucket {
    asked: Arc<Mutex<Vec<String>>>,
    endpoint: String,
}

impl Bucket {
    /// `answer` gives status line and body for a request, and how often the same came before.
    async fn start(
        answer: impl Fn(&str, usize) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = Self {
            asked: Arc::default(),
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
        };
        let (asked, answer) = (
            Arc::clone(&bucket.asked),
            Arc::new(Box::new(answer) as Answer),
        );
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&asked), Arc::clone(&answer)));
            }
        });
        bucket
    }

    fn store(&self) -> Store {
        let settings = [
            ("aws_endpoint", self.endpoint.as_str()),
            ("aws_access_key_id", "key"),
            ("aws_secret_access_key", "secret"),
            ("aws_region", "us-east-1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Store::open_with("s3://bucket/root", &settings).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut connection: TcpStream, asked: Arc<Mutex<Vec<String>>>, answer: Arc<Answer>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = connection.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or_default()];
    connection.read_exact(&mut body).await.unwrap();
    let mut words = head.split([' ', '?']);
    let request = format!("{} {}", words.next().unwrap(), words.next().unwrap());
    let before = {
        let mut asked = asked.lock().unwrap();
        let before = asked.iter().filter(|known| **known == request).count();
        asked.push(request.clone());
        before
    };
    let (status, body) = answer(&request, before);
    let is_head = request.starts_with("HEAD");
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"e\"\r\nLast-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\nConnection: close\r\n\r\n{}",
        body.len(),
        if is_head { "" } else { &body }
    );
    connection.write_all(reply.as_bytes()).await.unwrap();
}

fn coded(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>m</Message></Error>")
}

const CONFLICT: &str = "409 Conflict";

const DELETED: &str =
    "<DeleteResult><Deleted><Key>root/F/1/start/t/commit</Key></Deleted></DeleteResult>";

#[tokio::test]
async fn a_conflict_is_tried_again_until_it_is_known_who_won() {
    // The other writer failed: the key is not there, and ours is written.
    let bucket = Bucket::start(|request, before| match (request, before) {
        ("PUT /bucket/root/k", 0) => (CONFLICT, coded("ConditionalRequestConflict")),
        ("PUT /bucket/root/k", _) => ("200 OK", String::new()),
        _ => ("404 Not Found", String::new()),
    })
    .await;
    let put = bucket.store().put_new("k", "x".into()).await.unwrap();
    assert_eq!(put, Put::Created);
    let asked = [
        "PUT /bucket/root/k",
        "HEAD /bucket/root/k",
        "PUT /bucket/root/k",
    ];
    assert_eq!(bucket.asked(), asked);
    // The other writer was first.
    let bucket = Bucket::start(|request, _| match request {
        "PUT /bucket/root/k" => (CONFLICT, coded("ConditionalRequestConflict")),
        _ => ("200 OK", String::new()),
    })
    .await;
    let put = bucket.store().put_new("k", "x".into()).await.unwrap();
    assert_eq!(put, Put::Existed);
    // What may overwrite is not done before it is done.
    let bucket = Bucket::start(|_, before| match before {
        0 => (CONFLICT, coded("OperationAborted")),
        _ => ("200 OK", String::new()),
    })
    .await;
    bucket.store().put("k", vec!["x".into()]).await.unwrap();
    assert_eq!(bucket.asked().len(), 2);
    let bucket =
        Bucket::start(|_, _| ("412 Precondition Failed", coded("PreconditionFailed"))).await;
    let put = bucket.store().put_new("k", "x".into()).await.unwrap();
    assert_eq!((put, bucket.asked().len()), (Put::Existed, 1));
}

#[tokio::test]
async fn only_what_is_damaged_twice_is_set_aside() {
    const COMMIT: &str = "GET /bucket/root/F/1/start/t/commit";
    let place = Place::new("F", "1", "start", "t");
    for (status, code) in [
        ("403 Forbidden", "AccessDenied"),
        ("403 Forbidden", "RequestTimeTooSkewed"),
        ("400 Bad Request", "ExpiredToken"),
        ("404 Not Found", "NoSuchBucket"),
        (CONFLICT, "OperationAborted"),
    ] {
        let bucket = Bucket::start(move |_, _| (status, coded(code))).await;
        let error = commit::find_or_set_aside(&bucket.store(), &place).await;
        let error = error.unwrap_err();
        assert!(!matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert_eq!(bucket.asked(), [COMMIT], "{code}");
    }
    // Damaged on its way, once.
    let whole = serde_json::json!({
        "protocol": 1, "attempt": 0, "claim": "c",
        "data": {
            "datastore": "s3", "version": "1.0", "attempt": 0, "python_version": "3",
            "objects": {}, "info": {},
        },
    })
    .to_string();
    let good = whole.clone();
    let bucket = Bucket::start(move |_, before| match before {
        0 => ("200 OK", "{".to_owned()),
        _ => ("200 OK", good.clone()),
    })
    .await;
    let found = commit::find_or_set_aside(&bucket.store(), &place).await;
    assert_eq!(found.unwrap().unwrap().claim, "c");
    assert_eq!(bucket.asked(), [COMMIT, COMMIT]);
    // Damaged where it lies: copied, and only then removed.
    let copied = "<CopyObjectResult><ETag>e</ETag><LastModified>2026-11-30T00:00:00Z</LastModified></CopyObjectResult>";
    let bucket = Bucket::start(move |request, _| match request.split_once(' ') {
        Some(("PUT", _)) => ("200 OK", copied.to_owned()),
        Some(("POST", _)) => ("200 OK", DELETED.to_owned()),
        _ => ("200 OK", "{".to_owned()),
    })
    .await;
    let error = commit::find_or_set_aside(&bucket.store(), &place).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("F/1/start/t/commit is damaged"), "{error}");
    assert!(
        error.contains("set aside as s3://bucket/root/F/1/start/t/damaged-"),
        "{error}"
    );
    let asked = bucket.asked();
    assert_eq!(asked[..2], [COMMIT, COMMIT]);
    assert!(
        asked[2].starts_with("PUT /bucket/root/F/1/start/t/damaged-"),
        "{asked:?}"
    );
    // A request that names what is to be deleted in its body.
    assert_eq!(asked[3], "POST /bucket");
    // Where nothing may be removed, it says so and nothing is lost.
    let bucket = Bucket::start(move |request, _| match request.split_once(' ') {
        Some(("PUT", _)) => ("200 OK", copied.to_owned()),
        Some(("POST", _)) => ("403 Forbidden", coded("AccessDenied")),
        _ => ("200 OK", "{".to_owned()),
    })
    .await;
    let error = commit::find_or_set_aside(&bucket.store(), &place).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(
        error.to_string().contains("could not be set aside"),
        "{error}"
    );
}
