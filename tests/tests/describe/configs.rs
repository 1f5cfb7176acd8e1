//! What comes from files: configurations, and what `IncludeFile` includes.

use std::fs;

use flowc_tests::temp_dir;
use serde_json::{Value, json};

use super::{command, folder, run, said};

const CONFIGURED: &str = "
from metaflow import Config, FlowSpec, resources, step
class Demo(FlowSpec):
    size = Config(\"size\", required=True)
    mode = Config(\"mode\", default=\"mode.json\")
    @resources(cpu=size.cpu)
    @step
    def start(self):
        assert self.mode.name == \"fast\", self.mode
        self.cpu = self.size.cpu
        self.next(self.end)
    @step
    def end(self):
        print(\"cpu\", self.cpu)
if __name__ == \"__main__\":
    Demo()
";

#[test]
fn configurations_come_from_the_command_line_the_variables_or_the_tree() {
    let folder = folder(&[
        ("flow.py", CONFIGURED),
        ("mode.json", "{\"name\": \"fast\"}"),
        ("big.json", "{\"cpu\": 4}"),
    ]);
    let compiled = |arguments: &[&str]| {
        let mut all = vec![
            "compile",
            "flow.py",
            "--target",
            "step-functions",
            "-o",
            "out",
        ];
        all.extend(arguments);
        let output = run(folder.path(), &all);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
        let view: Value = serde_json::from_str(&read("flow.ir.json")).unwrap();
        let cpu = view["steps"][0]["resources"]["cpu_milli"].clone();
        (cpu, read("state-machine.asl.json"))
    };
    let (cpu, first) = compiled(&["--config-value", "size", "{\"cpu\": 2}"]);
    assert_eq!(cpu, json!(2000));
    let (cpu, _) = compiled(&["--config", "size", "big.json"]);
    assert_eq!(cpu, json!(4000));
    // The values are part of the code package, and of its name.
    let (cpu, other) = compiled(&["--config-value", "size", "{\"cpu\": 2, \"more\": 1}"]);
    assert_eq!(cpu, json!(2000));
    assert_ne!(first, other);

    let missing = said(&run(folder.path(), &["check", "flow.py"]));
    assert!(
        missing.contains("FC0026") && missing.contains("missing configuration for 'size'"),
        "{missing}"
    );
    let arguments = ["check", "flow.py", "--config-value", "seize", "{}"];
    let unknown = said(&run(folder.path(), &arguments));
    assert!(unknown.contains("no configuration `seize`"), "{unknown}");

    let arguments = [
        "run", "flow.py", "--store", "runs", "--config", "size", "big.json",
    ];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("cpu 4")
            || String::from_utf8_lossy(&output.stdout).contains("cpu 4"),
        "{}",
        said(&output)
    );
    let output = command(folder.path(), &["run", "flow.py", "--store", "runs"])
        .env("METAFLOW_FLOW_CONFIG_VALUE", "{\"size\": {\"cpu\": 3}}")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // Compiling does not read the environment.
    let output = command(folder.path(), &["check", "flow.py"])
        .env("METAFLOW_FLOW_CONFIG_VALUE", "{\"size\": {\"cpu\": 3}}")
        .output()
        .unwrap();
    assert!(
        said(&output).contains("missing configuration"),
        "{}",
        said(&output)
    );
}

const INCLUDES: &str = "
from metaflow import FlowSpec, IncludeFile, step
def pairs(text):
    return dict(line.split(\":\") for line in text.split())
class Demo(FlowSpec):
    table = IncludeFile(\"table\", default=\"./data/table.txt\", parser=pairs)
    raw = IncludeFile(\"raw\", is_text=False, default=\"raw.bin\", help=\"bytes\")
    odd = IncludeFile(\"odd\", encoding=\"latin-1\", default=\"odd.txt\")
    none = IncludeFile(\"none\")
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        print(\"seen\", self.table, self.raw, self.odd, self.none)
if __name__ == \"__main__\":
    Demo()
";

#[test]
fn included_files_are_read_from_the_tree_and_packaged() {
    let folder = folder(&[
        ("flow.py", INCLUDES),
        ("data/table.txt", "a:1 b:2"),
        ("raw.bin", "\u{0}\u{1}"),
        ("other.txt", "a:7"),
    ]);
    fs::write(folder.path().join("odd.txt"), b"\xe9").unwrap();
    let expected = "seen {'a': '1', 'b': '2'} b'\\x00\\x01' é None";
    // From another folder: a default is found beside the flow.
    let place = folder.path().join("flow.py");
    let elsewhere = temp_dir();
    let output = run(elsewhere.path(), &["run", place.to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(printed.contains(expected), "{printed}");
    let given = ["run", "flow.py", "--table", "other.txt"];
    let output = run(folder.path(), &given);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(printed.contains("seen {'a': '7'}"), "{printed}");
    let output = run(folder.path(), &["run", "flow.py", "--raw", "nowhere.bin"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(
        printed.contains("could not open file 'nowhere.bin'"),
        "{printed}"
    );

    // Nothing of this needs Python, and the contents are part of the package's name.
    let package = || {
        let target = ["--target", "step-functions", "-o", "out"];
        let mut arguments = vec!["compile", "--static", "flow.py"];
        arguments.extend(target);
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        fs::read_to_string(folder.path().join("out/state-machine.asl.json")).unwrap()
    };
    let first = package();
    assert_eq!(first, package());
    fs::write(folder.path().join("data/table.txt"), "a:3").unwrap();
    assert_ne!(first, package());
    fs::remove_file(folder.path().join("raw.bin")).unwrap();
    let text = said(&run(
        folder.path(),
        &["check", "flow.py", "--target", "argo"],
    ));
    assert!(
        text.contains("error[FC0029]") && text.contains("`raw.bin`"),
        "{text}"
    );
}
