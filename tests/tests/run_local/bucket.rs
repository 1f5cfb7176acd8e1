//! Runs whose data goes to a bucket; what Metaflow's client looks runs up in stays in a folder here.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use flowc_tests::beds::moto::Moto;

use super::world::{Output, World, output};

fn flow() -> World {
    World::foreach(
        "",
        3,
        "import os\nself.square = self.input ** 2\nself.noise = os.urandom(200_000)\nprint('squared', self.input)",
        "import os\nself.total = sum(task.square for task in inputs)\nself.sizes = [len(task.noise) for task in inputs]\nself.noise = os.urandom(300_000)",
    )
}

/// Reads artifacts of the run that started it.
const DOWN: &str = "
from metaflow import FlowSpec, current, step, trigger_on_finish

@trigger_on_finish(flow='F')
class Down(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        data = current.trigger.run.data
        print('started by a run of %d, %d' % (data.total, len(data.noise)))

if __name__ == '__main__':
    Down()
";

fn command(world: &World, moto: &Moto, arguments: &[&str]) -> Command {
    let mut command = world.command(arguments);
    command.envs(moto.environment());
    command
}

/// Nothing ran, the command ended with 2 within seconds, and it said all of this.
#[track_caller]
fn refused(command: &mut Command, said: &[&str]) {
    let began = Instant::now();
    let Output { code, stderr, .. } = output(command);
    assert_eq!(code, Some(2), "{stderr}");
    for said in said {
        assert!(stderr.contains(said), "no `{said}` in\n{stderr}");
    }
    // A task would wait for minutes; the bound leaves room for a machine that does much else.
    assert!(began.elapsed() < Duration::from_secs(40), "{stderr}");
}

#[test]
fn a_run_in_a_bucket_is_read_by_metaflow() {
    let moto = Moto::start();
    let world = flow();
    let mut settings = command(&world, &moto, &[]);
    settings
        .env("METAFLOW_DEFAULT_DATASTORE", "s3")
        .env("METAFLOW_DATASTORE_SYSROOT_S3", "s3://flows/deep/root")
        .env("METAFLOW_S3_SERVER_SIDE_ENCRYPTION", "AES256");
    let ran = output(&mut settings);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run = world.latest();
    let run = run.file_name().unwrap().to_str().unwrap();
    let place = format!("s3://flows/deep/root/F/{run}");
    assert!(ran.stderr.contains(&place), "{}", ran.stderr);
    // The folder holds metadata alone.
    assert!(world.committed("body").is_empty());
    assert!(!world.path().join(".metaflow/F/data").exists());
    let committed = moto.boto(&format!(
        "print(sorted(o['Key'] for o in s3.list_objects_v2(Bucket='flows', Prefix='deep/root/F/{run}/body')['Contents'] if o['Key'].endswith('/commit')))"
    ));
    let tasks: Vec<_> = (0..3)
        .map(|index| format!("'deep/root/F/{run}/body/t-{index}/commit'"))
        .collect();
    assert_eq!(committed.trim(), format!("[{}]", tasks.join(", ")));
    let encrypted = moto.boto(&format!(
        "print(s3.head_object(Bucket='flows', Key='deep/root/F/{run}/body/t-0/commit').get('ServerSideEncryption'))"
    ));
    assert_eq!(encrypted.trim(), "AES256");
    let probes = moto.boto(
        "print(s3.list_objects_v2(Bucket='flows', Prefix='deep/root/.flowc-probe')['KeyCount'])",
    );
    assert_eq!(probes.trim(), "0");

    let script = "
from metaflow import Flow
run = Flow('F').latest_run
print(run.successful, run.data.total, run.data.sizes)
print([(task.index, task.data.square, len(task.data.noise), task.stdout) for task in sorted(run['body'].tasks(), key=lambda task: task.index)])
";
    world.write("down.py", DOWN);
    let mut down = world.flowc("run");
    down.args(["down.py", "--store", "s3://flows/deep/root", "--trigger"]);
    down.arg(format!("F/{run}")).envs(moto.environment());
    let down = output(&mut down);
    assert!(
        down.stdout
            .contains("[end/t] started by a run of 5, 300000"),
        "{}\n{}",
        down.stdout,
        down.stderr
    );

    let mut client = Command::new(flowc_tests::metaflow_python());
    client
        .args(["-c", script])
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"))
        .env("METAFLOW_S3_ENDPOINT_URL", moto.endpoint())
        .envs(moto.environment());
    let seen = output(&mut client);
    assert_eq!(
        seen.stdout,
        "True 5 [200000, 200000, 200000]
[(0, 0, 200000, 'squared 0\\n'), (1, 1, 200000, 'squared 1\\n'), (2, 4, 200000, 'squared 2\\n')]
",
        "{}",
        seen.stderr
    );
}

#[test]
fn metaflows_settings_lead_to_azure() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/account/", server.local_addr().unwrap());
    // The first request, which nobody is allowed to make.
    let asked = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        reader.read_line(&mut line).unwrap();
        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        connection.write_all(refusal.as_bytes()).unwrap();
        line
    });
    let world = flow();
    let mut command = world.command(&[]);
    command
        .env("METAFLOW_DEFAULT_DATASTORE", "azure")
        .env("METAFLOW_DATASTORE_SYSROOT_AZURE", "flows/root")
        .env("METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT", &endpoint)
        .env("AZURE_STORAGE_ACCOUNT_KEY", "a2V5");
    refused(&mut command, &["FC4005", "az://flows/root"]);
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("PUT /account/flows/root/.flowc-probe/"),
        "{asked}"
    );
    command.env_remove("METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT");
    refused(&mut command, &["FC4005", "AZURE_STORAGE_ACCOUNT_NAME"]);
    assert!(!world.path().join(".metaflow").exists());
}

#[test]
fn a_bucket_that_cannot_be_used_is_named_within_seconds() {
    let moto = Moto::start();
    let world = flow();
    let here = ["--store", "s3://flows/root"];
    refused(
        &mut command(&world, &moto, &["--store", "s3://no-such-bucket/root"]),
        &[
            "FC4005",
            "s3://no-such-bucket/root does not exist",
            "create it",
        ],
    );
    refused(
        &mut command(&world, &moto, &["--store", "s3://"]),
        &["FC4005", "bucket's name is missing"],
    );
    refused(
        &mut command(&world, &moto, &["--store", "s3:/flows/root"]),
        &["FC4005", "two slashes", "s3://BUCKET/PREFIX"],
    );
    moto.deny_everyone();
    refused(
        &mut command(&world, &moto, &here),
        &[
            "FC4005",
            "access to s3://flows/root",
            "denied",
            "credentials",
            "InvalidAccessKeyId",
        ],
    );

    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    refused(
        command(&world, &moto, &here).env("AWS_ENDPOINT_URL", &endpoint),
        &["FC4005", "s3://flows/root", "does not answer", &endpoint],
    );
    drop(silent);
    // Nobody listens there any more.
    refused(
        command(&world, &moto, &here).env("AWS_ENDPOINT_URL", &endpoint),
        &["FC4005", "s3://flows/root", "does not answer", &endpoint],
    );
    let mut anonymous = command(&world, &moto, &here);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        anonymous.env_remove(name);
    }
    anonymous
        .env("HOME", world.path())
        .env("XDG_CACHE_HOME", world.path().join("cache"))
        .env("AWS_EC2_METADATA_DISABLED", "true");
    refused(
        &mut anonymous,
        &[
            "FC4005",
            "no AWS credentials",
            "s3://flows/root",
            "AWS_PROFILE",
        ],
    );
    assert!(!world.path().join(".metaflow").exists());
}
