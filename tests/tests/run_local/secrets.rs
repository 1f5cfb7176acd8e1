//! `@secrets`: the values reach the step, as in Metaflow, and neither the logs nor what flowc says.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use flowc_tests::beds::moto::Moto;

use super::world::{Output, World, output};

/// What the bed's Secrets Manager holds; `VALUES` are in it.
const STORED: &str = r#"
import json
client = boto3.client('secretsmanager', endpoint_url=s3.meta.endpoint_url, region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')
client.create_secret(Name='team/db', SecretString=json.dumps({'user': 'hunter-ann', 'pass-word': 'hunter2 "quoted"', 'port': 5432, 'ok': True, 'ratio': 1e16, 'more.deep': {'k': ['hunter-inner', None]}}))
client.create_secret(Name='key', SecretString='-----HUNTER KEY-----\nhunterline1\nhunterline2\n')
client.create_secret(Name='blob', SecretBinary=b'hunter\x00\xff')
client.create_secret(Name='list', SecretString='[1]')
client.create_secret(Name='text', SecretString='hunter-text')
client.create_secret(Name='twice', SecretString='{"a-b": "1", "a.b": "2"}')
"#;

/// All that is secret has this in it, in some case, or is base64 of it.
const VALUES: [&str; 4] = ["hunter", "HUNTER", "aHVudGVy", "5432"];

const FLOW: &str = r"
import os
import sys
from metaflow import secrets, user_step_decorator

NAMES = ['user', 'pass_word', 'port', 'ok', 'ratio', 'more_deep', 'PEM', 'blob', 'INLINE', 'TAKEN']


def look():
    from hashlib import sha1
    seen = {name: os.environ.get(name) for name in NAMES}
    return {name: value and (len(value), sha1(value.encode()).hexdigest()) for name, value in seen.items()}


EARLY = look()


@user_step_decorator
def around(step_name, flow, inputs):
    flow.before = look()
    yield


class F(FlowSpec):
    @around
    @environment(vars={'TAKEN': 'mine'})
    @secrets(sources=['aws-secrets-manager.team/db', {'id': 'key', 'options': {'json': False, 'env_var_name': 'PEM'}}, {'type': 'aws-secrets-manager', 'id': 'blob', 'options': {'region': 'us-east-1'}}, {'type': 'inline', 'id': 'i', 'options': {'env_vars': {'INLINE': 'hunter-inline', 'TAKEN': 'hunter-over'}}}], allow_override=True)
    @step
    def start(self):
        self.early = EARLY
        self.seen = look()
        print('user is', os.environ['user'], 'on port', os.environ['port'])
        print(repr(os.environ['pass_word']), os.environ['more_deep'])
        print(os.environ['PEM'], end='')
        print('stripped', os.environ['PEM'].strip())
        print('line', os.environ['PEM'].split()[2])
        print('all', [os.environ[name] for name in NAMES])
        half = len(os.environ['INLINE']) // 2
        for text in ('split ', os.environ['INLINE'][:half], os.environ['INLINE'][half:], '\n'):
            sys.stderr.write(text)
            sys.stderr.flush()
        sys.stdout.write('hold ' + os.environ['blob'])
        self.next(self.missing)

    @catch(var='missed', print_exception=False)
    @secrets(sources=['aws-secrets-manager.nowhere'])
    @step
    def missing(self):
        self.reached = True
        self.next(self.taken)

    @catch(var='conflict')
    @environment(vars={'TAKEN': 'mine'})
    @secrets(sources=[{'type': 'inline', 'id': 'i', 'options': {'env_vars': {'TAKEN': 'hunter-over'}}}])
    @step
    def taken(self):
        self.reached = True
        self.next(self.both)

    @catch(var='doubled')
    @secrets(sources=[{'type': 'inline', 'id': 'i', 'options': {'env_vars': {'A': 'hunter-a'}}}, {'type': 'inline', 'id': 'j', 'options': {'env_vars': {'A': 'hunter-b'}}}])
    @step
    def both(self):
        self.reached = True
        self.next(self.no_object)

    @catch(var='listed')
    @secrets(sources=['aws-secrets-manager.list'])
    @step
    def no_object(self):
        self.reached = True
        self.next(self.no_json)

    @catch(var='worded')
    @secrets(sources=['aws-secrets-manager.text'])
    @step
    def no_json(self):
        self.reached = True
        self.next(self.doubles)

    @catch(var='same')
    @secrets(sources=['aws-secrets-manager.twice'])
    @step
    def doubles(self):
        self.reached = True
        self.next(self.end)

    @step
    def end(self):
        self.after = look()
";

const ASK: &str = "
from metaflow import Flow
data = Flow('F').latest_run.data
names = [[name for name, value in sorted(one.items()) if value] for one in (data.early, data.after)]
print(names, data.before == data.seen, hasattr(data, 'reached'))
print(sorted(data.seen.items()))
for one in (data.missed, data.conflict, data.doubled, data.listed, data.worded, data.same):
    print(one.type, one.exception.split(': An error')[0])
";

fn stocked() -> Moto {
    let moto = Moto::start();
    moto.boto(STORED);
    moto
}

fn with_moto<'c>(command: &'c mut Command, moto: &Moto) -> &'c mut Command {
    command
        .envs(moto.environment())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env(
            "METAFLOW_DEFAULT_SECRETS_BACKEND_TYPE",
            "aws-secrets-manager",
        )
}

fn metaflow(world: &World, moto: &Moto, arguments: &[&str]) -> Output {
    let mut command = Command::new(flowc_tests::metaflow_python());
    command
        .args(arguments)
        .current_dir(world.path())
        .env("METAFLOW_USER", "ann")
        .env("METAFLOW_HOME", world.path().join("no-settings"));
    let output = output(with_moto(&mut command, moto));
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    output
}

/// No text has a secret in it.
#[track_caller]
fn expect_none(what: &str, text: &str) {
    for value in VALUES {
        assert!(!text.contains(value), "`{value}` in {what}:\n{text}");
    }
}

/// No file below the folder has, whatever it is; the flow's own text is somewhere else.
#[track_caller]
fn expect_none_below(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            expect_none_below(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        expect_none(
            &path.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
}

#[test]
fn secrets_are_those_of_metaflow_and_stay_out_of_the_logs() {
    let moto = stocked();
    let world = World::new(FLOW);
    let ran = output(with_moto(&mut world.command(&[]), &moto));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    for text in [&ran.stdout, &ran.stderr] {
        expect_none("the output", text);
    }
    expect_none_below(&world.latest());
    let log = fs::read_to_string(world.latest().join("start/t/0.task_stdout.log")).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(']'))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        lines[..5],
        [
            "user is *** on port ***",
            "'***' ***",
            "***",
            "stripped ***",
            "line ***"
        ]
    );
    assert!(
        lines[5].starts_with("all ['***', '***', '***', 'True', '***'"),
        "{}",
        lines[5]
    );
    assert_eq!(lines[6..], ["hold ***"]);
    let errors = fs::read_to_string(world.latest().join("start/t/0.task_stderr.log")).unwrap();
    assert!(errors.trim_end().ends_with("split ***"), "{errors}");
    let ours = metaflow(&world, &moto, &["-c", ASK]).stdout;

    let theirs = World::new(FLOW);
    metaflow(&theirs, &moto, &["flow.py", "run"]);
    assert_eq!(ours, metaflow(&theirs, &moto, &["-c", ASK]).stdout);
    assert!(ours.starts_with("[['TAKEN'], []] True False\n"), "{ours}");
}

const FAILING: &str = "
import os
from metaflow import secrets

class F(FlowSpec):
    @secrets(sources=['aws-secrets-manager.team/db'])
    @step
    def start(self):
        raise ValueError('x' * 470 + os.environ['user'] + os.environ['pass_word'])
        self.next(self.end)

    @step
    def end(self):
        pass
";

#[test]
fn what_goes_wrong_is_told_without_values() {
    let moto = stocked();
    let world = World::new(FAILING);
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = world.command(&[]);
        change(with_moto(&mut command, &moto));
        let ran = output(&mut command);
        assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            expect_none("the output", text);
        }
        expect_none_below(&world.latest());
        ran.stderr
    };
    let failed = run(&|_| {});
    assert!(
        failed.contains("ValueError: xxx") && failed.contains("x***"),
        "{failed}"
    );

    // Nobody listens there any more.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    drop(silent);
    let failed = run(&|command| {
        command.env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &endpoint);
    });
    let says = format!("Failed to retrieve secret 'team/db': {endpoint} does not answer");
    assert!(failed.contains(&says), "{failed}");

    let failed = run(&|command| {
        command
            .env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION");
    });
    assert!(
        failed.contains("METAFLOW_AWS_SECRETS_MANAGER_DEFAULT_REGION"),
        "{failed}"
    );

    moto.deny_everyone();
    let failed = run(&|_| {});
    assert!(
        failed.contains("Failed to retrieve secret 'team/db': An error occurred (InvalidClientTokenId) when calling the GetSecretValue operation")
            && failed.contains("credentials are not accepted"),
        "{failed}"
    );
}
