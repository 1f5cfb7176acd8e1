//! What a user gives is what the step sees, whatever it looks like to what lies between.

use std::fmt::Write as _;

use super::world::World;

/// Texts that mean something to a template, a shell, YAML, JSON, Python or Kubernetes.
const HOSTILE: &[&str] = &[
    "{{workflow.name}}",
    "{{=1+1}}",
    "{{7*7}}",
    "{% raw %}",
    "{# x #}",
    "{{ ti.xcom_pull('start') }}",
    "$.x",
    "$$.Execution.Id",
    "$(id)",
    "`id`",
    "$(HOME)",
    "${HOME}",
    "$(FLOWC_STORE)",
    "$$(FLOWC_STORE)",
    "'; id #",
    "\"}],\"args\":[\"x",
    "a\nkey: value",
    "\u{2028}",
    "a\u{202e}b",
    "x.json",
    "x.sh",
    "../../etc/passwd",
    "-rf",
    "--help",
    "=cmd",
    "no",
    "1e3",
    "~",
    "😀",
    "\\",
    "\\n",
    "'\"",
    " spaces ",
    "",
];

/// A flow with one parameter for each text, which it compares with what it should be.
fn flow(name: &str, default: impl Fn(&str) -> String) -> String {
    let mut source = format!("class {name}(FlowSpec):\n");
    let mut checks = String::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        let default = default(text);
        writeln!(
            source,
            "    p{number} = Parameter('p{number}', default={default})"
        )
        .unwrap();
        let text = python(text);
        writeln!(
            checks,
            "        assert self.p{number} == {text}, ascii(self.p{number})"
        )
        .unwrap();
    }
    source.push_str("    whole = Parameter('whole', type=JSONType, default='null')\n");
    write!(
        source,
        "\n    @step\n    def start(self):\n{checks}        print('whole', ascii(self.whole))\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass"
    )
    .unwrap();
    source
}

/// A Python literal; JSON's escapes are Python's, and its characters beyond ASCII stay.
fn python(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
#[ignore = "not yet shown to pass together with the others, see tests/beds/airflow/README.md"]
fn hostile_defaults_arrive_unchanged() {
    let Some(world) = World::new(&flow("DefaultsFlow", python)) else {
        return;
    };
    world.run(&[]).succeeded();
}

#[test]
#[ignore = "not yet shown to pass together with the others, see tests/beds/airflow/README.md"]
fn hostile_values_arrive_unchanged() {
    let Some(world) = World::new(&flow("ValuesFlow", |_| "'x'".to_owned())) else {
        return;
    };
    let mut arguments: Vec<String> = Vec::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        arguments.push("--param".to_owned());
        arguments.push(format!("p{number}={text}"));
    }
    let whole = "{\"{{7*7}}\": [\"$(id)\", null, 1.5, true, {\"\": \"{% x %}\"}]}";
    arguments.push("--param".to_owned());
    arguments.push(format!("whole={whole}"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = world.run(&arguments).succeeded();
    let logs = world.logs(&ended.run);
    assert!(
        logs.contains("{'{{7*7}}': ['$(id)', None, 1.5, True, {'': '{% x %}'}]}"),
        "{logs}"
    );
}
