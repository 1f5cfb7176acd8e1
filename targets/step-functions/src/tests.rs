//! What a bundle looks like, for small flows and for all.

mod exit;
mod iam;
mod jobs;
mod triggers;

use std::collections::BTreeSet;

use flowc_core::diag::Code;
use flowc_core::ir::plan::Plan;
use flowc_target::profile::{ForeachMode, Setting};
use flowc_target::testing::{
    self, HOSTILE, NESTED, emit, linear, nested, options, plan, refusal, source,
};
use flowc_target::{BundleFile, Options};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::StepFunctions;

fn bundle(body: &str) -> Vec<BundleFile> {
    emit(&StepFunctions, &plan(&source(body)), &options())
}

fn json_of(files: &[BundleFile], path: &str) -> Value {
    let file = files.iter().find(|file| file.path == path).unwrap();
    serde_json::from_str(&file.text).unwrap()
}

fn machine(files: &[BundleFile]) -> Value {
    json_of(files, "state-machine.asl.json")
}

fn codes(plan: &Plan, options: &Options) -> Vec<Code> {
    refusal(&StepFunctions, plan, options)
        .iter()
        .map(|item| item.code)
        .collect()
}

#[test]
fn a_nested_foreach_is_a_distributed_map_around_an_inline_one() {
    let files = bundle(NESTED);
    let machine = machine(&files);
    assert_eq!(machine["StartAt"], "flowc-input");
    let states = machine["States"].as_object().unwrap();
    let names: Vec<_> = states.keys().collect();
    assert_eq!(
        names,
        ["flowc-input", "start", "start-foreach", "join", "end"]
    );

    let start = &states["start"]["Parameters"];
    assert_eq!(start["Parameters"], json!({"step": "start"}));
    let environment = &start["ContainerOverrides"]["Environment"];
    assert_eq!(
        environment[0],
        json!({"Name": "FLOWC_RUN", "Value.$": "States.Format('id:{}', $.run)"})
    );
    assert_eq!(
        environment[1]["Value.$"],
        "States.Format('F/input/{}.json', $$.Execution.Name)"
    );

    let map = &states["start-foreach"];
    assert_eq!(
        map["ItemProcessor"]["ProcessorConfig"]["Mode"],
        "DISTRIBUTED"
    );
    assert_eq!(
        map["ItemReader"]["Parameters"]["Key.$"],
        "States.Format('F/{}/start/t/split.json', $.run)"
    );
    assert_eq!(
        map["ItemSelector"],
        json!({"run.$": "$.run", "index.$": "$$.Map.Item.Value"})
    );
    assert_eq!(map["ResultPath"], Value::Null);

    let children = map["ItemProcessor"]["States"].as_object().unwrap();
    let names: Vec<_> = children.keys().collect();
    assert_eq!(
        names,
        ["outer", "outer-split", "outer-foreach", "inner_join"]
    );
    assert_eq!(
        children["outer-split"]["Parameters"]["Key.$"],
        "States.Format('F/{}/outer/t-{}/split.json', $.run, $.index)"
    );
    let inner = &children["outer-foreach"];
    assert_eq!(
        inner["ItemProcessor"]["ProcessorConfig"],
        json!({"Mode": "INLINE"})
    );
    assert_eq!(inner["ItemsPath"], "$.split.items");
    assert_eq!(
        (&inner["ResultSelector"], &inner["ResultPath"]),
        (&json!({}), &json!("$.split"))
    );
    assert_eq!(children["inner_join"]["OutputPath"], Value::Null);
    assert!(
        children["inner_join"]
            .as_object()
            .unwrap()
            .contains_key("OutputPath")
    );

    let retry = &children["outer"]["Retry"];
    assert_eq!(retry[0]["ErrorEquals"], json!(["Batch.AWSBatchException"]));
    assert_eq!(
        retry[1],
        json!({"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 60, "MaxAttempts": 2, "BackoffRate": 1})
    );
}

#[test]
fn a_catch_has_a_start_that_takes_the_last_loss() {
    let body = NESTED.replace(
        "    @step\n    def join",
        "    @catch(var='lost')\n    @step\n    def join",
    );
    let machine = machine(&bundle(&body));
    let retry = &machine["States"]["join"]["Retry"];
    assert_eq!(retry[1]["ErrorEquals"], json!(["States.TaskFailed"]));
    assert_eq!(retry[1]["MaxAttempts"], 1);
}

#[test]
fn a_split_is_a_parallel_state() {
    let files = bundle(
        "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.a, self.b)
    @step
    def a(self):
        self.next(self.j)
    @step
    def b(self):
        self.next(self.j)
    @step
    def j(self, inputs):
        self.next(self.end)
    @step
    def end(self):
        pass
",
    );
    let machine = machine(&files);
    let parallel = &machine["States"]["start-branches"];
    assert_eq!(machine["States"]["start"]["Next"], "start-branches");
    assert_eq!(
        (&parallel["Type"], &parallel["Next"]),
        (&json!("Parallel"), &json!("j"))
    );
    let firsts: Vec<_> = parallel["Branches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|branch| &branch["StartAt"])
        .collect();
    assert_eq!(firsts, ["a", "b"]);
}

#[test]
fn a_schedule_starts_the_machine_with_nothing() {
    let files = bundle(
        "@schedule(cron='0 6 * * MON-FRI', timezone='Europe/Berlin')\nclass F(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n",
    );
    let schedule = json_of(&files, "schedule.json");
    assert_eq!(schedule["ScheduleExpression"], "cron(0 6 ? * MON-FRI *)");
    assert_eq!(schedule["ScheduleExpressionTimezone"], "Europe/Berlin");
    assert_eq!(schedule["Target"]["Input"], "{}");
    assert_eq!(
        json_of(&files, "iam.json")["schedule"]["RoleArn"],
        schedule["Target"]["RoleArn"]
    );
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "state-machine.asl.json",
            "job-definitions.json",
            "schedule.json",
            "iam.json"
        ]
    );
}

#[test]
fn roles_that_the_profile_names_are_not_described() {
    let mut options = options();
    let role = |name: &str| {
        Some(Setting::given(format!(
            "arn:aws:iam::123456789012:role/{name}"
        )))
    };
    options.profile.step_functions.job_role = role("mine");
    let files = emit(&StepFunctions, &plan(&source(NESTED)), &options);
    let roles = json_of(&files, "iam.json");
    assert_eq!(
        roles.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["states"]
    );
    let definitions = json_of(&files, "job-definitions.json");
    assert_eq!(
        definitions[0]["containerProperties"]["jobRoleArn"],
        "arn:aws:iam::123456789012:role/mine"
    );
    options.profile.step_functions.state_machine_role = role("other");
    let files = emit(&StepFunctions, &plan(&source(NESTED)), &options);
    assert!(files.iter().all(|file| file.path != "iam.json"));
}

#[test]
fn the_policy_reaches_no_further_than_the_flow() {
    let mut options = options();
    options.profile.store = "s3://bucket/team".into();
    let files = emit(&StepFunctions, &plan(&source(NESTED)), &options);
    let roles = json_of(&files, "iam.json");
    for role in ["states", "job"] {
        for statement in roles[role]["PolicyDocument"]["Statement"]
            .as_array()
            .unwrap()
        {
            for action in statement["Action"].as_array().unwrap() {
                let action = action.as_str().unwrap();
                assert!(
                    !action.contains('*') && !action.contains("Delete"),
                    "{action}"
                );
            }
            for resource in statement["Resource"].as_array().unwrap() {
                let resource = resource.as_str().unwrap();
                if resource.starts_with("arn:aws:s3:::bucket/") {
                    assert!(
                        resource.starts_with("arn:aws:s3:::bucket/team/F/"),
                        "{resource}"
                    );
                }
            }
        }
    }
}

const SECRETS: &str = "
class F(FlowSpec):
    @secrets(sources=['aws-secrets-manager.db/main', {'type': 'aws-secrets-manager', 'id': 'arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf', 'options': {'json': False}}])
    @step
    def start(self):
        self.next(self.own)
    @batch(iam_role='arn:aws:iam::123456789012:role/own')
    @secrets(sources=['aws-secrets-manager.mine'])
    @step
    def own(self):
        self.next(self.end)
    @secrets(sources=[{'type': 'inline', 'id': 'i', 'options': {'env_vars': {'A': 'hush'}}}, {'id': 'far', 'role': 'arn:aws:iam::2:role/r'}])
    @step
    def end(self):
        pass
";

#[test]
fn the_job_may_read_its_secrets_and_no_others() {
    let mut options = options();
    let statements = |options: &Options| {
        let files = emit(&StepFunctions, &plan(&source(SECRETS)), options);
        assert!(files.iter().all(|file| !file.text.contains("hush")));
        let roles = json_of(&files, "iam.json");
        let statements = roles["job"]["PolicyDocument"]["Statement"].clone();
        let definition = json_of(&files, "job-definitions.json")[0].clone();
        let variables = definition["containerProperties"]["environment"].clone();
        let mut variables = variables.as_array().unwrap().iter().cloned();
        let region = variables.find(|one| one["name"] == crate::secrets::REGION);
        (
            statements.as_array().unwrap()[2..].to_vec(),
            region.unwrap()["value"].clone(),
        )
    };
    let place = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db/main-??????";
    let whole = "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf";
    let (found, region) = statements(&options);
    assert_eq!(region, "us-east-1");
    assert_eq!(
        found,
        [
            json!({"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [place, whole, format!("{whole}-??????")]}),
            json!({"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": ["arn:aws:iam::2:role/r"]}),
        ]
    );
    let env = &mut options.profile.env;
    env.insert(crate::secrets::REGION.to_owned(), "eu-west-3".into());
    let (found, region) = statements(&options);
    assert_eq!(region, "eu-west-3");
    assert_eq!(
        found[0]["Resource"][0],
        place.replace("us-east-1", "eu-west-3")
    );
}

#[test]
fn every_iteration_can_be_inline() {
    let mut options = options();
    options.profile.step_functions.foreach = ForeachMode::Inline;
    let files = emit(&StepFunctions, &plan(&source(NESTED)), &options);
    assert!(!files[0].text.contains("DISTRIBUTED"));
    let machine = machine(&files);
    assert_eq!(machine["States"]["start"]["Next"], "start-split");
    assert_eq!(
        machine["States"]["start-split"]["Parameters"]["Key.$"],
        "States.Format('F/{}/start/t/split.json', $.run)"
    );
}

#[test]
fn a_step_costs_at_most_a_kilobyte() {
    let size = |count| -> usize {
        let files = emit(&StepFunctions, &plan(&linear(count)), &options());
        files.iter().map(|file| file.text.len()).sum()
    };
    let per_step = (size(150) - size(50)) / 100;
    assert!(per_step <= 1000, "{per_step} bytes");
}

#[test]
fn a_definition_over_the_limit_is_refused() {
    assert_eq!(codes(&plan(&linear(3000)), &options()), [Code::FC1001]);
}

/// The keys and lengths of a value, without its texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), shape(member)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}

#[test]
fn values_never_change_the_shape() {
    let bundle = |text: &str| {
        let literal = serde_json::to_string(text)
            .unwrap()
            .replace("\\u0000", "\\x00");
        let body = format!(
            "class F(FlowSpec):\n    '''doc'''\n    p = Parameter('p', default={literal}, help={literal})\n    c = {literal}\n    @environment(vars={{'A': {}}})\n    @step\n    def start(self):\n        {literal}\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n",
            literal.replace("\\x00", "")
        );
        let mut options = options();
        if !text.contains('\0') {
            options.profile.env.insert("A".to_owned(), text.into());
        }
        (
            emit(&StepFunctions, &plan(&source(&body)), &options),
            text.contains('\0'),
        )
    };
    for text in HOSTILE {
        let (files, without) = bundle(text);
        let (plain, _) = bundle(if without { "\0" } else { "x" });
        for (file, other) in files.iter().zip(&plain) {
            let parse = |file: &BundleFile| serde_json::from_str::<Value>(&file.text).unwrap();
            assert_eq!(shape(&parse(file)), shape(&parse(other)), "{text:?}");
            if file.path == "state-machine.asl.json" {
                let digests = |text: &str| {
                    text.split("flowc-F-")
                        .map(|part| part.get(12..).unwrap_or("").to_owned())
                        .collect::<Vec<_>>()
                };
                assert_eq!(
                    digests(&file.text),
                    digests(&other.text),
                    "user text in the machine: {text:?}"
                );
            }
        }
        if !without {
            let definitions = json_of(&files, "job-definitions.json");
            let environment = definitions[0]["containerProperties"]["environment"]
                .as_array()
                .unwrap();
            assert_eq!(environment.last().unwrap()["value"], **text);
        }
    }
}

/// All scopes of a machine, the outermost first.
fn scopes<'a>(scope: &'a Value, into: &mut Vec<&'a Value>) {
    into.push(scope);
    for state in scope["States"].as_object().unwrap().values() {
        for branch in state["Branches"].as_array().into_iter().flatten() {
            scopes(branch, into);
        }
        if let Some(body) = state.get("ItemProcessor") {
            scopes(body, into);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_flow_becomes_a_sound_machine(chain in testing::chain(), inline in any::<bool>()) {
        let plan = plan(&nested(&chain));
        let mut options = options();
        if inline {
            options.profile.step_functions.foreach = ForeachMode::Inline;
        }
        let files = emit(&StepFunctions, &plan, &options);
        prop_assert_eq!(&files, &emit(&StepFunctions, &plan, &options));
        let machine = machine(&files);
        let mut all = Vec::new();
        scopes(&machine, &mut all);
        let mut names = BTreeSet::new();
        let mut jobs = 0;
        for scope in all {
            let states = scope["States"].as_object().unwrap();
            // Every state is reached from the first, and the last one ends the scope.
            let mut at = scope["StartAt"].as_str().unwrap();
            let mut reached = 1;
            while let Some(next) = states[at].get("Next") {
                at = next.as_str().unwrap();
                reached += 1;
            }
            prop_assert_eq!(reached, states.len());
            prop_assert_eq!(&states[at]["End"], &json!(true));
            for (name, state) in states {
                prop_assert!(names.insert(name.clone()), "{} twice", name);
                prop_assert!(name.len() <= 80);
                let resource = state.get("Resource").and_then(Value::as_str).unwrap_or_default();
                jobs += usize::from(resource.ends_with("batch:submitJob.sync"));
            }
        }
        prop_assert_eq!(jobs, plan.steps.len());
        for (_, step) in plan.steps.iter() {
            prop_assert!(names.contains(&step.name));
        }
    }
}
