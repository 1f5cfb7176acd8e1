//! Amazon's S3 as moto plays it, on a port of this machine.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that ends with the value.
pub struct Moto {
    server: Child,
    port: u16,
    python: PathBuf,
    folder: TempDir,
}

impl Moto {
    /// Starts a server with the empty bucket `flows`; installed if need be.
    pub fn start() -> Self {
        let python = python();
        let folder = crate::temp_dir();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("this machine has a free port")
            .port();
        let log = File::create(folder.path().join("log")).expect("the folder is writable");
        let server = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the bed's Python starts");
        let moto = Self {
            server,
            port,
            python,
            folder,
        };
        let patience = Instant::now() + Duration::from_mins(2);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "moto does not answer");
            thread::sleep(Duration::from_millis(100));
        }
        moto.boto("s3.create_bucket(Bucket='flows')");
        moto
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a program needs to find it, as variables.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let text = str::to_owned;
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", text("x")),
            ("AWS_SECRET_ACCESS_KEY", text("x")),
            ("AWS_REGION", text("us-east-1")),
        ]
    }

    /// Runs a line of Python that has a client `s3`; what it prints.
    #[track_caller]
    pub fn boto(&self, line: &str) -> String {
        let endpoint = self.endpoint();
        let script = format!(
            "import boto3\ns3 = boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')\n{line}"
        );
        self.python(["-c", &script])
    }

    /// From now on nobody has access: moto checks signatures against its users, of whom there are none.
    #[track_caller]
    pub fn deny_everyone(&self) {
        let url = format!("{}/moto-api/reset-auth", self.endpoint());
        let script = format!(
            "import urllib.request as u; u.urlopen(u.Request('{url}', data=b'0', headers={{'Content-Type': 'text/plain'}})).read()"
        );
        self.python(["-c", &script]);
    }

    /// The lines of its log that stand for requests, in order.
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        // The server colours the lines of requests that it refused: an escape stands before the quote.
        let requests = log.lines().filter(|line| line.contains(" HTTP/1.1"));
        requests.map(str::to_owned).collect()
    }

    #[track_caller]
    fn python(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
        crate::run(Command::new(&self.python).args(arguments))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing left to do.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// `FLOWC_MOTO` names a Python with moto; otherwise the bed's installer makes one.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("FLOWC_MOTO") {
        return python.into();
    }
    let requirements = crate::repo_root().join("tests/beds/aws/requirements.txt");
    let requirements = requirements.to_string_lossy();
    crate::install(&["venv", "moto", &requirements])
        .unwrap_or_else(|why| panic!("the AWS emulator cannot be installed: {why}"))
}
