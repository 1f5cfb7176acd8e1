//! What Python said of a flow file: the answer of the harness's `describe`.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::literal::of_json;
use crate::ir::flow::{ConfigForm, Literal};

/// The version of the answer that this build understands.
const VERSION: u64 = 2;

/// Attributes, parameters and configurations as Python evaluated them; the graph stays what was read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Description {
    /// Name of the flow's class.
    pub flow: String,
    /// Values of the configurations, by name.
    pub configs: IndexMap<String, DescribedConfig>,
    /// Flow decorators, outermost first.
    pub decorators: Vec<DescribedDecorator>,
    /// Decorators of each step, outermost first.
    pub steps: IndexMap<String, Vec<DescribedDecorator>>,
    /// Parameters by attribute.
    pub parameters: Vec<DescribedParameter>,
    /// The class and those of its bases that are not Metaflow's, in Python's order.
    #[serde(default)]
    pub classes: Vec<DescribedClass>,
    /// Where the function of each step is defined, if a file tells.
    #[serde(default)]
    pub places: IndexMap<String, DescribedPlace>,
    /// Texts of modules outside of the source tree that hold base classes, by path below the folder they are imported from.
    pub sources: IndexMap<String, String>,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DescribedClass {
    /// Dotted name inside of its module.
    pub name: String,
    /// Path of its module, below the root or as in [`Description::sources`].
    pub file: String,
    /// 1-based line inside of it, if it has one.
    pub line: Option<u32>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DescribedPlace {
    /// Path of its module, likewise.
    pub file: String,
    /// 1-based, of its first decorator.
    pub line: u32,
}

/// A configuration's value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DescribedConfig {
    /// Attribute of the class.
    pub attribute: String,
    form: Form,
    /// See [`crate::ir::flow::ConfigValue`].
    pub text: String,
    because: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Json,
    Literal,
    Pickle,
}

impl DescribedConfig {
    /// What the text is.
    #[must_use]
    pub fn form(&self) -> ConfigForm {
        match self.form {
            Form::Json => ConfigForm::Json,
            Form::Literal => ConfigForm::Literal,
            Form::Pickle => ConfigForm::Pickle {
                because: self.because.clone().unwrap_or_default(),
            },
        }
    }
}

/// A decorator of Metaflow's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DescribedDecorator {
    /// Name under which Metaflow exports it.
    pub name: String,
    /// Named arguments.
    pub arguments: IndexMap<String, DescribedValue>,
    /// Full names of the mutators that inserted it, the last one first.
    pub inserted_by: Option<Vec<String>>,
    /// Whether it comes from the option `--with`.
    #[serde(default)]
    pub attached: bool,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DescribedParameter {
    /// Attribute of the class.
    pub attribute: String,
    /// Name on the command line.
    pub name: String,
    /// Name of the type, if one was given.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// Default, if it is a value.
    pub default: Option<DescribedValue>,
    /// Whether it is an `IncludeFile`.
    pub file: bool,
    /// Whether the default is a function.
    pub computed: bool,
    /// `help`
    pub help: Option<String>,
    /// `required`
    pub required: bool,
    /// `separator`
    pub separator: Option<String>,
    /// Full names of the mutators that inserted it, the last one first.
    pub inserted_by: Option<Vec<String>>,
}

/// A value, or how Python shows one that no target can be told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescribedValue {
    /// A JSON value, dictionaries as pairs.
    Value(Value),
    /// A parameter's default that JSON would change or lacks.
    Native(Native),
    /// `repr(value)`, cut.
    Shown(String),
}

impl DescribedValue {
    /// The value, or how it is shown.
    pub fn literal(&self) -> Result<Literal, &str> {
        match self {
            Self::Value(value) => Ok(of_json(value, pairs)),
            Self::Native(Native { text, .. }) | Self::Shown(text) => Err(text),
        }
    }
}

/// A value that only Python has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Native {
    /// As Python writes it.
    pub text: String,
    /// Name of its type.
    #[serde(rename = "type")]
    pub ty: String,
}

/// Where the user's module failed, and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// Last line of the traceback.
    pub said: String,
    /// Path below the root, if the failure is inside the tree.
    pub file: Option<String>,
    /// 1-based.
    pub line: Option<u32>,
}

/// Takes an answer apart; the outer error is an answer that is none.
pub fn parse(text: &str) -> Result<Result<Description, Failure>, serde_json::Error> {
    let mut answer: Value = serde_json::from_str(text)?;
    if answer["version"].as_u64() != Some(VERSION) {
        let said = format!("an answer of version {}, not {VERSION}", answer["version"]);
        return Err(serde::de::Error::custom(said));
    }
    if let Some(error) = answer.get_mut("error") {
        return serde_json::from_value(error.take()).map(Err);
    }
    let description: Description = serde_json::from_value(answer)?;
    for config in description.configs.values() {
        if config.form == Form::Json {
            serde_json::from_str::<IgnoredAny>(&config.text)?;
        }
    }
    Ok(Ok(description))
}

/// Dictionaries are `{"pairs": [[key, value], …]}`, so that they keep the author's order.
fn pairs(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let pairs = object.get("pairs").and_then(Value::as_array);
    let pairs = pairs.into_iter().flatten();
    pairs
        .map(|pair| (pair[0].as_str().unwrap_or_default(), &pair[1]))
        .collect()
}
