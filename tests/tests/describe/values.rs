//! Values on their way from who gives them to a step, compared by `repr` with what Python reads itself.

use std::fs;

use super::{command, folder, run, said};

/// Makes the files: texts of JSON with numbers of any size and shape, and the values that a parser returns, by `repr`.
const MAKER: &str = r#"
import json, random, struct, sys
choose = random.Random(7)
def number():
    kind = choose.randrange(6)
    if kind == 0:
        return str(choose.randrange(-2**choose.randrange(1, 130), 2**choose.randrange(1, 130)))
    if kind == 1:
        return choose.choice(["NaN", "Infinity", "-Infinity", "1E400", "-0", "-0.0", "5e-324", "1.10"])
    value = struct.unpack("d", choose.getrandbits(64).to_bytes(8, "little"))[0]
    return repr(value) if value - value == 0 else "0.1"
def text(depth=0):
    kind = choose.randrange(4 if depth > 3 else 8)
    if kind < 3:
        return number()
    if kind == 3:
        return json.dumps("".join(chr(choose.randrange(1, 0x300)) for _ in range(4)), ensure_ascii=choose.random() < .5)
    items = [text(depth + 1) for _ in range(choose.randrange(4))]
    if kind < 6:
        return "[%s]" % ", ".join(items)
    return "{%s}" % ",".join('"%s": %s' % (choose.choice("zyxab"), item) for item in items)
for name in ("file", "given", "variable", "typed", "default"):
    with open(name + ".json", "w", encoding="utf-8", newline="\r\n") as out:
        out.write("{\n\"v\": [%s]}" % ", ".join(text() for _ in range(60)))
"#;

const FLOW: &str = r#"
import collections, datetime, json, os
from metaflow import Config, FlowSpec, JSONType, Parameter, config_expr, environment, step

HERE = os.path.dirname(os.path.abspath(__file__))

def text(name):
    with open(os.path.join(HERE, name + ".json"), encoding="utf-8") as file:
        return file.read()

PARSED = {1: "int", None: (1, [2.5, {(3,): float("nan")}]), "b": b"x", "s": {1, "a"}, "n": 10**400}

def parse(given):
    return collections.OrderedDict(day=datetime.date(2026, 1, 31)) if given == "object" else dict(PARSED)

def known(value):
    return repr(value.to_dict() if hasattr(value, "to_dict") else value)

class Demo(FlowSpec):
    file = Config("file", default="file.json")
    raw = Config("raw", plain=True)
    given = Config("given")
    variable = Config("variable")
    parsed = Config("parsed", default_value="x", parser=parse)
    other = Config("other", default_value="KIND", parser=parse, plain=True)
    typed = Parameter("typed", type=JSONType)
    default = Parameter("default", type=JSONType, default=text("default"))
    pair = Parameter("pair", type=JSONType, default=(1, {2: 10**30}))
    big = Parameter("big", default=10**30 + 1)
    inf = Parameter("inf", default=float("inf"))
    nan = Parameter("nan", type=float)
    count = Parameter("count", type=int)

    @environment(vars={"SEEN": config_expr("repr(parsed[None])")})
    @step
    def start(self):
        for name in ("file", "given", "variable", "typed", "default"):
            assert known(getattr(self, name)) == repr(json.loads(text(name))), name
        assert self.raw == text("file")
        self.seen = repr((self.pair, self.big, self.inf, self.nan, self.count))
        assert self.seen == "((1, {2: %d}), %d, inf, nan, -%d)" % (10**30, 10**30 + 1, 10**25), self.seen
        assert os.environ["SEEN"] == repr(PARSED[None])
        self.next(self.end)

    @step
    def end(self):
        assert known(self.parsed) == repr(PARSED), self.parsed
        if "KIND" == "object":
            assert self.other == {"day": datetime.date(2026, 1, 31)}, self.other
            assert type(self.other) is collections.OrderedDict
        print("same as in Python")

if __name__ == "__main__":
    Demo()
"#;

#[test]
fn steps_see_what_was_given_to_the_last_digit() {
    let files = [
        ("flow.py", FLOW.replace("KIND", "object")),
        ("portable/flow.py", FLOW.replace("KIND", "plain")),
    ];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let folder = folder(&files);
    for place in [folder.path().to_owned(), folder.path().join("portable")] {
        let mut maker = std::process::Command::new("python3");
        let made = maker.args(["-c", MAKER]).current_dir(place).output();
        let made = made.unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    // As Python reads a text file.
    let read = |name: &str| {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        text.replace("\r\n", "\n")
    };
    let (given, typed) = (read("given.json"), read("typed.json"));
    let count = format!("-1{}", "0".repeat(25));
    let configs = [
        "--config-value",
        "given",
        &given,
        "--config",
        "raw",
        "file.json",
    ];
    let mut arguments = vec!["run", "flow.py", "--typed", &typed, "--nan", "NaN"];
    arguments.extend(["--count", count.as_str()]);
    arguments.extend(configs);
    let output = command(folder.path(), &arguments)
        .env(
            "METAFLOW_FLOW_CONFIG_VALUE",
            format!("{{\"variable\": {}}}", read("variable.json")),
        )
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert!(printed.contains("same as in Python"), "{printed}");

    // What has a text form goes into a package, the same each time; what has none is refused by name.
    let variable = read("variable.json");
    let compiled = |flow: &str, target: &str| {
        let mut arguments = vec!["compile", flow, "--target", target, "-o"];
        arguments.push(target);
        arguments.extend(configs);
        arguments.extend(["--config-value", "variable", &variable]);
        said(&run(folder.path(), &arguments))
    };
    for target in ["step-functions", "argo", "airflow"] {
        let portable = compiled("portable/flow.py", target);
        assert!(portable.contains("exit 0"), "{portable}");
        let refused = compiled("flow.py", target);
        assert!(
            refused.contains("error[FC0031]: the value of the configuration `other`")
                && refused.contains("it is a `OrderedDict`")
                && refused.contains("other = Config("),
            "{refused}"
        );
    }
    let template = fs::read_to_string(folder.path().join("argo/workflow-template.yaml")).unwrap();
    assert!(
        template.contains("{name: big, value: \"null\"}"),
        "{template}"
    );
}
