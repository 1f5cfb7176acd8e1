//! `@secrets`: what each source refers to. Its value is seen by the task alone.

use indexmap::IndexMap;

use super::attributes::{argument, entry, is_variable};
use crate::check::decorators::describe;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Decorator, Literal};
use crate::ir::plan::{SecretBackend, SecretSource, Secrets};
use crate::source::{SourceTree, Span};

/// Metaflow's other backends (`SECRETS_PROVIDERS_DESC` in `metaflow/plugins/__init__.py`, read at 2.19.39).
const OTHER_BACKENDS: &[&str] = &["gcp-secret-manager", "az-key-vault"];

/// Members of a source (`secret_spec_from_dict` in `metaflow/plugins/secrets/secrets_spec.py`, read at 2.19.39).
const MEMBERS: &[&str] = &["type", "id", "options", "role"];

/// What is wrong with a source: the finding's message, its label, and the help.
type Wrong = (String, &'static str, String);

/// The decorator's sources; `None` if there are none.
pub(super) fn resolve(
    tree: &SourceTree,
    decorator: &Decorator,
    diagnostics: &mut Diagnostics,
) -> Option<Secrets> {
    let given = argument(decorator, "sources")?;
    let Literal::List(items) = &given.value.value else {
        return None;
    };
    let mut sources = Vec::new();
    for item in items {
        let read = match item {
            Literal::Str(text) => of_text(text),
            Literal::Dict(members) => of_members(members),
            // Said by the table's rule already.
            Literal::None
            | Literal::Bool(_)
            | Literal::Int(_)
            | Literal::Float(_)
            | Literal::List(_) => continue,
        };
        match read {
            Ok(source) => sources.push(source),
            Err((message, label, help)) => {
                let span = place(tree, given.value.span, item);
                let found = Diagnostic::error(Code::FC0221, message, span, label);
                diagnostics.push(found.help(help));
            }
        }
    }
    let role = argument(decorator, "role").map(|given| &given.value.value);
    let allow = argument(decorator, "allow_override").map(|given| &given.value.value);
    (!sources.is_empty()).then(|| Secrets {
        sources,
        role: match role {
            Some(Literal::Str(role)) => Some(role.clone()),
            _ => None,
        },
        allow_override: allow == Some(&Literal::Bool(true)),
    })
}

/// `"type.id"`, or the bare id; the first point counts.
fn of_text(text: &str) -> Result<SecretSource, Wrong> {
    let (backend, id) = match text.split_once('.') {
        Some((backend, id)) => (Some(backend), id),
        None => (None, text),
    };
    let is_arn = text.starts_with("arn:");
    if is_arn && backend.is_some() {
        return Err((
            "the ARN of a secret as a text".to_owned(),
            "what stands before the first `.` is read as the type",
            format!("write `{{\"type\": \"aws-secrets-manager\", \"id\": \"{text}\"}}`"),
        ));
    }
    source(backend, id, IndexMap::new(), None)
}

fn of_members(members: &IndexMap<String, Literal>) -> Result<SecretSource, Wrong> {
    for name in members.keys() {
        if !MEMBERS.contains(&name.as_str()) {
            return Err(unknown("a source of secrets", name, MEMBERS));
        }
    }
    let backend = text_of(members, "type")?;
    let Some(id) = text_of(members, "id")? else {
        return Err((
            "a source of secrets without `id`".to_owned(),
            "which secret?",
            "write `{\"type\": \"aws-secrets-manager\", \"id\": \"some-name\"}`".to_owned(),
        ));
    };
    let options = match members.get("options") {
        Some(Literal::Dict(options)) => options.clone(),
        Some(other) => return Err(mistyped("options", other, "a dictionary")),
        None => IndexMap::new(),
    };
    let role = match members.get("role") {
        Some(Literal::None) | None => None,
        Some(_) => text_of(members, "role")?.map(str::to_owned),
    };
    source(backend, id, options, role)
}

fn text_of<'m>(
    members: &'m IndexMap<String, Literal>,
    name: &str,
) -> Result<Option<&'m str>, Wrong> {
    match members.get(name) {
        Some(Literal::Str(text)) => Ok(Some(text)),
        Some(other) => Err(mistyped(name, other, "a string")),
        None => Ok(None),
    }
}

fn mistyped(name: &str, value: &Literal, allowed: &str) -> Wrong {
    (
        format!("`{name}` of a source of secrets is {}", describe(value)),
        "in this source",
        format!("`{name}` is {allowed}"),
    )
}

fn unknown(of: &str, name: &str, known: &[&str]) -> Wrong {
    let help = if let Some(meant) = closest(name, known.iter().copied()) {
        format!("did you mean `{meant}`?")
    } else {
        let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
        format!("allowed are {}", known.join(", "))
    };
    let shown = name.escape_debug();
    (format!("{of} has no `{shown}`"), "in this source", help)
}

fn source(
    backend: Option<&str>,
    id: &str,
    options: IndexMap<String, Literal>,
    role: Option<String>,
) -> Result<SecretSource, Wrong> {
    let backend = backend.map(backend_of).transpose()?;
    // An inline secret needs no name.
    if id.is_empty() && backend != Some(SecretBackend::Inline) {
        return Err((
            "a source of secrets with an empty `id`".to_owned(),
            "which secret?",
            "name the secret, as in `\"aws-secrets-manager.some-name\"`".to_owned(),
        ));
    }
    if backend != Some(SecretBackend::Inline) && !id.chars().all(is_of_id) {
        return Err((
            format!("no secret can be called `{}`", id.escape_debug()),
            "in this source",
            "names of AWS Secrets Manager consist of letters, digits and `/_+=.@-`".to_owned(),
        ));
    }
    match backend {
        Some(SecretBackend::Inline) => check_inline(&options)?,
        Some(SecretBackend::AwsSecretsManager) => check_aws(&options)?,
        // The task's environment decides, and the task checks.
        None => {}
    }
    Ok(SecretSource {
        backend,
        id: id.to_owned(),
        options,
        role,
    })
}

/// Names and ARNs (AWS Secrets Manager, `CreateSecret`, `Name`). A pattern would widen what a role may read.
fn is_of_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c)
}

fn backend_of(name: &str) -> Result<SecretBackend, Wrong> {
    let known = [SecretBackend::AwsSecretsManager, SecretBackend::Inline];
    if let Some(backend) = known.into_iter().find(|backend| backend.name() == name) {
        return Ok(backend);
    }
    if OTHER_BACKENDS.contains(&name) {
        return Err((
            format!("secrets of `{name}` are not supported yet"),
            "not supported yet",
            "keep the secret in AWS Secrets Manager, or read it inside the step with the client of its store".to_owned(),
        ));
    }
    let shown = name.escape_debug();
    let help = match closest(name, known.iter().map(|backend| backend.name())) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a source is `\"aws-secrets-manager.some-name\"`; an id with a point in it needs the long form, `{\"type\": …, \"id\": …}`".to_owned(),
    };
    Err((
        format!("no kind of secrets is called `{shown}`"),
        "unknown type",
        help,
    ))
}

fn check_inline(options: &IndexMap<String, Literal>) -> Result<(), Wrong> {
    for (name, value) in options {
        if name != "env_vars" {
            return Err(unknown("an inline secret", name, &["env_vars"]));
        }
        let Literal::Dict(variables) = value else {
            return Err(mistyped(name, value, "a dictionary of strings"));
        };
        for (variable, value) in variables {
            if !matches!(value, Literal::Str(_)) {
                return Err(mistyped(variable, value, "a string"));
            }
            check_variable(variable)?;
        }
    }
    Ok(())
}

/// What Metaflow's `validate_env_vars` and flowc ask of a name.
fn check_variable(name: &str) -> Result<(), Wrong> {
    let shown = name.escape_debug();
    if !is_variable(name) {
        return Err((
            format!("invalid name `{shown}` of an environment variable"),
            "in this source",
            "use letters, digits and underscores, and no digit at the start".to_owned(),
        ));
    }
    let reserved = ["METAFLOW_", "FLOWC_"];
    match reserved.iter().find(|prefix| name.starts_with(*prefix)) {
        Some(prefix) => Err((
            format!("a secret cannot set the environment variable `{shown}`"),
            "in this source",
            format!("choose a name that does not start with `{prefix}`"),
        )),
        None => Ok(()),
    }
}

fn check_aws(options: &IndexMap<String, Literal>) -> Result<(), Wrong> {
    for (name, value) in options {
        match (name.as_str(), value) {
            ("json", Literal::Bool(_)) | ("region" | "env_var_name", Literal::Str(_)) => {}
            ("json", other) => return Err(mistyped(name, other, "`True` or `False`")),
            ("region" | "env_var_name", other) => return Err(mistyped(name, other, "a string")),
            _ => {
                let known = ["json", "env_var_name", "region"];
                return Err(unknown("`options` of a secret", name, &known));
            }
        }
    }
    Ok(())
}

/// Where the source stands, as far as can be told; else all of them.
fn place(tree: &SourceTree, sources: Span, source: &Literal) -> Span {
    let mut names = Vec::new();
    if let Literal::Str(text) = source {
        names.push(text);
    }
    if let Literal::Dict(members) = source {
        for name in ["id", "type"] {
            if let Some(Literal::Str(text)) = members.get(name) {
                names.push(text);
            }
        }
    }
    let found = names.into_iter().map(|name| entry(tree, sources, name));
    let mut found = found.filter(|span| *span != sources);
    found.next().unwrap_or(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match of_text(text) {
            Ok(one) => format!("{:?} {}", one.backend.map(SecretBackend::name), one.id),
            Err((message, ..)) => message,
        }
    }

    #[test]
    fn a_text_is_split_at_its_first_point() {
        assert_eq!(
            read("aws-secrets-manager.a.b"),
            "Some(\"aws-secrets-manager\") a.b"
        );
        assert_eq!(read("db"), "None db");
        assert_eq!(read("inline."), "Some(\"inline\") ");
        assert_eq!(read("db.main"), "no kind of secrets is called `db`");
        assert_eq!(
            read("aws-secrets-manager."),
            "a source of secrets with an empty `id`"
        );
        assert_eq!(read("aws-secrets-manager.*"), "no secret can be called `*`");
        assert_eq!(
            read("arn:aws:secretsmanager:eu-west-1:1:secret:a.b-AbCdEf"),
            "the ARN of a secret as a text"
        );
    }
}
