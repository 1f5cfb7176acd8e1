//! The environment of the describing Python: on this machine the user's, for a bundle nobody's but the profile's.

use std::fs;
use std::process::Output;

use serde_json::Value;

use super::{command, flow, folder, run, said};

/// A flow whose values come from the environment in the ways that people write.
fn reading(head: &str, inside: &str) -> String {
    flow(
        &format!("import os\nfrom metaflow import environment\n{head}"),
        "",
        inside,
    )
}

fn alpha(value: &str) -> String {
    format!("alpha = Parameter(\"alpha\", default={value})")
}

/// What `check --target argo` says of a flow.
fn checked(source: &str) -> String {
    let folder = folder(&[("flow.py", source)]);
    let arguments = ["check", "flow.py", "--target", "argo"];
    said(&run(folder.path(), &arguments))
}

#[test]
fn here_the_environment_is_the_users() {
    let source = reading("", "@environment(vars={\"MODE\": os.getenv(\"MODE\", \"dev\"), \"KEY\": os.getenv(\"KEY\")})")
        .replace("        self.next(self.end)", "        print(\"mode\", os.environ[\"MODE\"], os.environ[\"KEY\"], self.table)\n        self.next(self.end)")
        .replace("    @environment", "    table = Parameter(\"table\", default=os.environ.get(\"TABLE\", \"t\"))\n    @environment");
    let folder = folder(&[("flow.py", &source)]);
    let given = |arguments: &[&str]| -> Output {
        let mut command = command(folder.path(), arguments);
        command.envs([("MODE", "prod"), ("KEY", "k"), ("TABLE", "big")]);
        command.output().unwrap()
    };
    let output = given(&["run", "flow.py", "--store", "runs"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.contains("mode prod k big"),
        "{printed}{}",
        said(&output)
    );
    let text = said(&given(&["check", "flow.py"]));
    assert!(text.contains("Checked Demo"), "{text}");
    // And never a bundle's.
    for arguments in [
        &["compile", "flow.py", "--target", "argo", "-o", "out"][..],
        &["check", "flow.py", "--target", "argo"],
        &["deploy", "flow.py", "--target", "argo", "--dry-run"],
    ] {
        let text = said(&given(arguments));
        assert_eq!(text.matches("error[FC0034]").count(), 3, "{text}");
        for name in ["`MODE`", "`KEY`", "`TABLE`"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(!text.contains("prod") && !text.contains("big"), "{text}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_variable_that_a_value_comes_from_is_named() {
    insta::assert_snapshot!(checked(&reading("MODE = os.environ.get(\"MODE\") == \"prod\"", &alpha("3 if MODE else 1"))), @r#"
    error[FC0034]: `default` of the parameter `alpha` comes from the environment variable `MODE`
     --> flow.py:7:40
      |
    4 | MODE = os.environ.get("MODE") == "prod"
      | --------------------------------------- read here
    ...
    7 |     alpha = Parameter("alpha", default=3 if MODE else 1)
      |                                        ^^^^^^^^^^^^^^^^ differs when the variable does
      |
    help: a bundle takes nothing from whoever compiles it: write `env = { MODE = "…" }` under `[profile.default]` in flowc.toml, which the containers see as well
    exit 1
    "#);
    // Whatever way the value takes; the last one is the user's own machine.
    let ways = [
        "os.getenv(\"X\", \"a\")",
        "os.environ.get(\"X\") or \"a\"",
        "\"X\" in os.environ",
        "len([name for name in os.environ if name == \"X\"])",
        "dict(os.environ).get(\"X\", \"a\")",
        "os.environ.copy().get(\"X\", \"a\")",
        "int(os.environ.get(\"X\", \"4\"))",
        "int(os.environ.get(\"X\", \"4\")) > 100",
        "{\"prod\": 3}.get(os.environ.get(\"X\"), 1)",
        "os.environ.get(\"X\") in {\"prod\", \"stage\"}",
        "os.environ.get(\"X\", \"\").lower() in (\"true\", \"yes\")",
        "os.environ.get(\"X\", \"\").startswith(\"eu-\")",
        "\"gpu\" in os.environ.get(\"X\", \"\").split(\",\")",
        "os.environ.get(\"X\", \"\").strip() == \"1\"",
        "os.environ.setdefault(\"X\", \"a\")",
        "os.environb.get(b\"X\", b\"a\").decode()",
        "os.path.expandvars(\"$X\")",
        "__import__(\"json\").loads(os.environ.get(\"X\", \"1\"))",
        "open(os.environ.get(\"X\", __file__)).readline()",
        "os.path.expanduser(\"~/data\")",
    ];
    let lines: Vec<String> = ways
        .iter()
        .enumerate()
        .map(|(at, way)| {
            let way = way.replace('X', &format!("V{at}"));
            format!("way{at} = Parameter(\"way{at}\", default={way})")
        })
        .collect();
    let text = checked(&reading("", &lines.join("\n    ")));
    assert_eq!(text.matches("error[FC0034]").count(), ways.len(), "{text}");
    for (at, way) in ways.iter().enumerate() {
        let name = if way.contains('X') {
            format!("V{at}")
        } else {
            "HOME".to_owned()
        };
        assert!(
            text.contains(&format!("variable `{name}`")),
            "{way}: {text}"
        );
    }
    // A file that does not even run without it.
    let text = checked(&reading("", &alpha("os.environ[\"X\"]")));
    assert!(
        text.contains("needs the environment variable `X`") && text.contains("KeyError: 'X'"),
        "{text}"
    );
    // All of them.
    let vars = "@environment(vars={name: value for name, value in os.environ.items() if name.startswith(\"APP_\")})";
    let text = checked(&reading("", vars));
    assert!(text.contains("that begins with `APP_`"), "{text}");
}

#[test]
fn what_the_flow_does_not_come_from_may_be_read() {
    let source = reading(
        "LEVEL = os.environ.get(\"LOG_LEVEL\", \"info\").upper()
if LEVEL == \"DEBUG\":
    print(\"debugging\")
WORKERS = int(os.environ.get(\"WORKERS\", \"4\"))
os.makedirs(os.environ.get(\"CACHE\", \"/tmp\"), exist_ok=True)
ALL = dict(os.environ)",
        &alpha("\"a\".upper()"),
    );
    let folder = folder(&[("flow.py", &source)]);
    let arguments = ["check", "flow.py", "--target", "argo"];
    let text = said(&run(folder.path(), &arguments));
    assert!(text.contains("Checked Demo"), "{text}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(
        left.iter()
            .all(|entry| !format!("{entry:?}").contains("probe")),
        "{left:?}"
    );
}

#[test]
fn the_profile_pins_a_variable_for_the_flow_and_its_containers() {
    let source = reading(
        "",
        &alpha("os.environ[\"TABLE\"] + \".\" + os.environ.get(\"MODE\", \"dev\")"),
    );
    let folder = folder(&[
        ("flow.py", &source),
        (
            "flowc.toml",
            "[profile.prod]\nenv = { TABLE = \"sales\", MODE = \"live\" }\n[profile.half]\nenv = { TABLE = \"sales\" }\n",
        ),
    ]);
    let compiled = |profile: &str, out: &str| {
        let target = ["--target", "airflow", "--profile", profile, "-o", out];
        let mut command = command(folder.path(), &["compile", "flow.py"]);
        command
            .args(target)
            .env("MODE", "mine")
            .env("TABLE", "mine");
        command.output().unwrap()
    };
    let output = compiled("prod", "out");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let view = fs::read_to_string(folder.path().join("out/flow.ir.json")).unwrap();
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["parameters"][0]["default"], "sales.live");
    let half = said(&compiled("half", "half"));
    assert_eq!(half.matches("error[FC0034]").count(), 1, "{half}");
    assert!(
        half.contains("variable `MODE`") && half.contains("[profile.half]"),
        "{half}"
    );
}
