//! Values for parameters, and a flow whose first step compares what it got with what it should have got.

use flowc_target::testing::HOSTILE;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// More that templates, shells and YAML know.
const MORE: &[&str] = &[
    "{{=toBase64('x')}}",
    "{{inputs.parameters.p}}",
    "{{",
    "}}",
    "{{{",
    "\\u007b\\u007b",
    "\u{7f}",
    "\t\r\n",
    "\\",
    "null",
];

/// A flow with one parameter for each value; `defaults` puts the values into the flow, else they come with the run.
///
/// It reads them from `expected.json`, which is to be in its package.
pub fn flow(name: &str, values: &[Value], defaults: bool) -> String {
    let parameter = |(place, value): (usize, &Value)| {
        let kind = if value.is_string() { "str" } else { "JSONType" };
        let default = match (defaults, value) {
            (false, _) => "None".to_owned(),
            (true, Value::String(_)) => python(value),
            // Metaflow takes a default of this type as a text of JSON, too.
            (true, value) => python(&Value::String(value.to_string())),
        };
        format!("    p{place} = Parameter('p{place}', type={kind}, default={default})\n")
    };
    let parameters: String = values.iter().enumerate().map(parameter).collect();
    format!("class {name}(FlowSpec):\n{parameters}")
        + "
    @step
    def start(self):
        import json
        with open('expected.json', encoding='utf-8') as file:
            expected = json.load(file)
        for place, value in enumerate(expected):
            found = getattr(self, f'p{place}')
            assert found == value and type(found) is type(value), (place, found, value)
        self.seen = len(expected)
        self.next(self.end)

    @step
    def end(self):
        assert self.seen"
}

/// A literal of Python: JSON's texts are.
fn python(value: &Value) -> String {
    value.to_string()
}

/// Texts that mean something to what lies between who gives them and a step.
pub fn hostile() -> Vec<Value> {
    let texts = HOSTILE.iter().chain(MORE);
    // A command line cannot hold NUL.
    texts
        .filter(|text| !text.contains('\0'))
        .map(|text| json!(text))
        .collect()
}

/// Texts of any characters and values of any shape, always the same ones.
pub fn arbitrary() -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let text = "\\PC{0,40}|[\\x01-\\x1f{}$\"'\\\\]{0,20}";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let shape = leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let shape = shape.prop_filter("a text has its own type", |value| {
        value.is_array() || value.is_object()
    });
    let pairs = (text.prop_map(Value::from), shape);
    let mut values = Vec::new();
    for _ in 0..30 {
        let pair = pairs.new_tree(&mut runner);
        let (text, shape) = pair.expect("few shapes are filtered out").current();
        values.extend([text, shape]);
    }
    values
}

/// Words of a command line that give each value to its parameter.
pub fn given(values: &[Value]) -> Vec<String> {
    let word = |(place, value): (usize, &Value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        ["--param".to_owned(), format!("p{place}={text}")]
    };
    values.iter().enumerate().flat_map(word).collect()
}

/// An event of `@trigger` for [`flow`]: its fields bring the values.
pub fn event(name: &str, values: &[Value]) -> String {
    let fields = (0..values.len()).map(|place| format!("'p{place}': 'f{place}'"));
    let fields: Vec<_> = fields.collect();
    let fields = fields.join(", ");
    format!("{{'name': '{name}', 'parameters': {{{fields}}}}}")
}

/// The event's fields.
pub fn fields(values: &[Value]) -> Value {
    let field = |(place, value): (usize, &Value)| (format!("f{place}"), value.clone());
    values.iter().enumerate().map(field).collect()
}
