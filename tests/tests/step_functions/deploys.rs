//! What `flowc deploy` and `flowc delete` do to an account.

use flowc_tests::beds::aws::Bed;
use flowc_tests::run;

use super::world::{World, shared};

fn flow(class: &str, body: &str) -> String {
    format!(
        "from metaflow import FlowSpec, Parameter, batch, schedule, step, timeout\n\n\n{body}\n\n\nif __name__ == '__main__':\n    {class}()\n"
    )
}

fn small(class: &str, decorator: &str, line: &str) -> String {
    let body = format!(
        "{decorator}\nclass {class}(FlowSpec):\n    @step\n    def start(self):\n        {line}\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass"
    );
    flow(class, &body)
}

/// Name and action of each object but for the digests in names of job definitions.
fn told(changes: &[String]) -> Vec<String> {
    let cut = |change: &String| match change.split_once(" flowc-") {
        Some((start, _)) if start.ends_with("job definition") => start.to_owned(),
        _ => change.clone(),
    };
    changes.iter().map(cut).collect()
}

#[test]
fn a_second_deployment_changes_nothing() {
    // Batch gives back all that it was asked for in the words in which flowc compares it.
    let job = "    @batch(inferentia=1, efa=1, host_volumes='/data', efs_volumes='fs-0123abcd:/shared', use_tmpfs=True, \
               max_swap=10, aws_batch_tags={'step': 'first'}, log_options='awslogs-group:/jobs', privileged=True)\n    @step\n";
    let text = small("TwiceFlow", "@schedule(daily=True)", "self.x = 1");
    let world = World::new(
        shared(),
        &text.replacen("    @step\n", job, 1),
        "labels = {team = \"data\"}",
    );
    assert_eq!(
        told(&world.deploy()),
        [
            "create job definition",
            "create job definition",
            "create state machine TwiceFlow",
            "create alias TwiceFlow:live",
            "create schedule flowc-TwiceFlow",
        ]
    );
    let writes = |world: &World<'_>| {
        world.bed.boto(
            "sfn = client('stepfunctions')\n\
             arn = 'arn:aws:states:us-east-1:123456789012:stateMachine:TwiceFlow'\n\
             print(sfn.describe_state_machine(stateMachineArn=arn)['revisionId'], len(sfn.list_state_machine_versions(stateMachineArn=arn)['stateMachineVersions']))\n\
             print(sorted((tag['key'], tag['value']) for tag in sfn.list_tags_for_resource(resourceArn=arn)['tags']))\n\
             print(client('scheduler').get_schedule(Name='flowc-TwiceFlow')['LastModificationDate'])\n\
             print([d['tags'] for d in client('batch').describe_job_definitions(status='ACTIVE')['jobDefinitions'] if 'TwiceFlow' in d['jobDefinitionName']])",
        )
    };
    let before = writes(&world);
    assert!(before.contains("('team', 'data')"), "{before}");
    assert!(
        before.contains("('flowc.dev/flow', 'TwiceFlow')"),
        "{before}"
    );
    assert!(
        before.contains("('flowc.dev/deployed-by', 'arn:aws:sts::123456789012"),
        "{before}"
    );
    let again = world.deploy();
    assert!(
        again.iter().all(|change| change.starts_with("keep ")),
        "{again:?}"
    );
    assert_eq!(again.len(), 5);
    assert_eq!(writes(&world), before);
    let output = world
        .flowc(&["deploy", "flow.py", "--target", "step-functions"])
        .output()
        .unwrap();
    let said = super::world::said(&output);
    assert!(said.contains("Unchanged"), "{said}");
}

#[test]
fn a_change_publishes_a_version_and_old_ones_are_pruned() {
    let world = World::new(
        shared(),
        &small("ChangeFlow", "@schedule(daily=True)", "self.x = 0"),
        "",
    );
    world.deploy();
    for number in 1..5 {
        world.write(&small(
            "ChangeFlow",
            "@schedule(daily=True)",
            &format!("self.x = {number}"),
        ));
        assert_eq!(
            told(&world.deploy()),
            [
                "create job definition",
                "update state machine ChangeFlow",
                "update alias ChangeFlow:live",
                "keep schedule flowc-ChangeFlow",
            ]
        );
    }
    // The sixth version: one goes, with the job definition that only it named; so does the schedule.
    world.write(&small("ChangeFlow", "", "self.x = 5"));
    assert_eq!(
        told(&world.deploy()),
        [
            "create job definition",
            "update state machine ChangeFlow",
            "update alias ChangeFlow:live",
            "delete schedule flowc-ChangeFlow",
            "delete version ChangeFlow:1",
            "delete job definition",
        ]
    );
    let again = world.deploy();
    assert!(
        again.iter().all(|change| change.starts_with("keep ")),
        "{again:?}"
    );
    let left = world.bed.boto(
        "found = client('batch').describe_job_definitions(status='ACTIVE')['jobDefinitions']\n\
         print(len([d for d in found if d['jobDefinitionName'].startswith('flowc-ChangeFlow-')]))",
    );
    assert_eq!(left.trim(), "5");
    world.trigger(&[]).assert("succeeded");

    assert_eq!(
        world
            .failure(&[
                "status",
                "flow.py",
                "sfn-none",
                "--target",
                "step-functions"
            ])
            .0,
        2
    );
    run(&mut world.flowc(&["delete", "flow.py", "--target", "step-functions"]));
    let (_, said) = world.failure(&["trigger", "flow.py", "--target", "step-functions"]);
    assert!(said.contains("does not exist"), "{said}");
    let left = world.bed.boto(
        "found = client('batch').describe_job_definitions(status='ACTIVE')['jobDefinitions']\n\
         print(len([d for d in found if d['jobDefinitionName'].startswith('flowc-ChangeFlow-')]))",
    );
    assert_eq!(left.trim(), "0");
}

/// Whatever a deployment was interrupted at, the old version goes on running and the next deployment completes it.
#[test]
fn an_interrupted_deployment_leaves_the_old_version_running() {
    let bed = Bed::up();
    let text = |number: u32| small("CutFlow", "", &format!("print('version', {number})"));
    let world = World::new(&bed, &text(1), "");
    world.deploy();
    let version = |expect: u32| {
        let ended = world.trigger(&[]);
        ended.assert("succeeded");
        let printed = world.printed(&ended.name);
        let start = &printed.iter().find(|(step, _)| step == "start").unwrap().1;
        assert!(start.contains(&format!("version {expect}")), "{start}");
    };
    version(1);
    world.write(&text(2));
    let deploy = ["deploy", "flow.py", "--target", "step-functions"];
    for action in [
        "batch:RegisterJobDefinition",
        "states:UpdateStateMachine",
        "states:TagResource",
        "states:UpdateStateMachineAlias",
    ] {
        bed.deny(&[action]);
        let (code, said) = world.failure(&deploy);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&format!("not allowed: {action}")), "{said}");
        bed.deny(&[]);
        version(1);
    }
    world.deploy();
    version(2);
}

#[test]
fn what_somebody_else_deployed_is_not_overwritten() {
    let mut world = World::new(
        shared(),
        &small("OwnedFlow", "@schedule(daily=True)", "self.x = 1"),
        "",
    );
    world.become_user("ann");
    world.deploy();
    world.become_user("bob");
    world.write(&small("OwnedFlow", "@schedule(daily=True)", "self.x = 2"));
    let deploy = ["deploy", "flow.py", "--target", "step-functions"];
    let (code, said) = world.failure(&deploy);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("state machine OwnedFlow was deployed by arn:aws:iam::123456789012:user/ann"),
        "{said}"
    );
    assert!(said.contains("--take-over"), "{said}");
    let taken = told(&world.deploy_with(&["--take-over"]));
    assert!(
        taken.contains(&"update state machine OwnedFlow".to_owned()),
        "{taken:?}"
    );
    assert!(
        taken.contains(&"update schedule flowc-OwnedFlow".to_owned()),
        "{taken:?}"
    );
    let again = world.deploy();
    assert!(
        again.iter().all(|change| change.starts_with("keep ")),
        "{again:?}"
    );

    world.bed.boto(
        "client('stepfunctions').create_state_machine(name='ByHandFlow', roleArn='arn:aws:iam::123456789012:role/batch',\n    \
             definition='{\"StartAt\": \"a\", \"States\": {\"a\": {\"Type\": \"Pass\", \"End\": true}}}')",
    );
    world.write(&small("ByHandFlow", "", "self.x = 1"));
    let (_, said) = world.failure(&deploy);
    assert!(
        said.contains("was deployed by something other than flowc"),
        "{said}"
    );
}

#[test]
fn another_account_than_the_profiles_is_refused() {
    let world = World::new(
        shared(),
        &small("ElsewhereFlow", "", "self.x = 1"),
        "[profile.default.step-functions]\naccount = \"999999999999\"",
    );
    let (code, said) = world.failure(&["deploy", "flow.py", "--target", "step-functions"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("the profile says account 999999999999, but this is 123456789012"),
        "{said}"
    );
}

#[test]
fn a_missing_role_is_named() {
    let world = World::new(shared(), &small("RoleFlow", "", "self.x = 1"), "");
    let (_, said) = world.failure(&["deploy", "flow.py", "--target", "step-functions"]);
    assert!(
        said.contains("arn:aws:iam::123456789012:role/flowc-RoleFlow-states"),
        "{said}"
    );
    assert!(said.contains("iam.json"), "{said}");
    world.deploy();
}

#[test]
fn nobody_answering_is_said() {
    let world = World::new(shared(), &small("SilentFlow", "", "self.x = 1"), "");
    let output = world
        .flowc(&["deploy", "flow.py", "--target", "step-functions"])
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = super::world::said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("does not answer"), "{said}");
}

/// A history has up to 25 000 events, and whoever waits asks every few seconds.
#[test]
fn waiting_for_a_run_does_not_read_its_history_again_and_again() {
    let bed = Bed::up();
    let slow = "import time\nfrom metaflow import FlowSpec, step\n\n\nclass SlowFlow(FlowSpec):\n    \
        @step\n    def start(self):\n        time.sleep(4)\n        self.next(self.end)\n\n    \
        @step\n    def end(self):\n        pass\n\n\nif __name__ == '__main__':\n    SlowFlow()\n";
    let world = World::new(&bed, slow, "");
    world.deploy();
    world.trigger(&[]).assert("succeeded");
    let requests = bed.requests();
    let count = |action: &str| requests[action].as_u64().unwrap_or(0);
    assert!(count("states:DescribeExecution") > 5, "{requests}");
    // Once at the end, and once for `flowc status`.
    assert_eq!(count("states:GetExecutionHistory"), 2, "{requests}");
}
