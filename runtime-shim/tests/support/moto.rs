//! The AWS emulator that tests of the store run against.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowc_task::store::Store;

/// moto's server, which writes a line for each request.
pub struct Moto {
    server: Child,
    log: PathBuf,
    port: u16,
    python: PathBuf,
    folder: tempfile::TempDir,
}

impl Moto {
    /// Starts it, with a bucket `flows`.
    pub fn start() -> Self {
        let python = moto_python();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new(&python)
            .args([
                "-m",
                "moto.server",
                "-H",
                "127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let moto = Self {
            server,
            log,
            port,
            python,
            folder,
        };
        let patience = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "moto does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        moto.boto("s3.create_bucket(Bucket='flows')");
        moto
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs a line of Python with a client `s3`; what it prints.
    pub fn boto(&self, line: &str) -> String {
        let script = format!(
            "import boto3\ns3 = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')\n{line}",
            self.endpoint()
        );
        let output = Command::new(&self.python)
            .args(["-c", &script])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The requests so far, as it logs them.
    pub fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let requests = log.lines().filter(|line| line.contains(" HTTP/1.1\" "));
        requests.map(str::to_owned).collect()
    }

    /// The folder `root` of a bucket.
    pub fn store(&self, bucket: &str) -> Store {
        open(&self.endpoint(), bucket)
    }

    /// The shim, about to run a step of a package that is in `s3://flows/root`.
    pub fn shim(&self, package: &str, step: &str) -> Command {
        let mut command = super::shim(self.folder.path(), package, step, "-");
        command
            .env("FLOWC_STORE", "s3://flows/root")
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("AWS_REGION", "us-east-1");
        command
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `FLOWC_MOTO` names a Python with moto; otherwise the bed's installer makes one.
fn moto_python() -> PathBuf {
    if let Some(python) = std::env::var_os("FLOWC_MOTO") {
        return python.into();
    }
    let beds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/beds");
    let output = Command::new(beds.join("install"))
        .args(["venv", "moto"])
        .arg(beds.join("aws/requirements.txt"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "the AWS emulator cannot be installed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// A bucket's folder `root` at an endpoint.
pub fn open(endpoint: &str, bucket: &str) -> Store {
    let settings = [
        ("aws_endpoint", endpoint),
        ("aws_access_key_id", "x"),
        ("aws_secret_access_key", "x"),
        ("aws_region", "us-east-1"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Store::open_with(&format!("s3://{bucket}/root"), &settings).unwrap()
}
