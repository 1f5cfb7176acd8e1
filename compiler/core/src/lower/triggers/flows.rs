//! One flow of `@trigger_on_finish`: its name, project and branch.

use indexmap::IndexMap;

use super::events::is_word;
use super::{Refused, unknown, wrong};
use crate::check::decorators::describe;
use crate::ir::flow::Literal;
use crate::ir::plan::ProjectBranch;
use crate::ir::project::{self, Project};

/// Another flow.
pub(super) struct Read {
    /// Name of its class.
    pub(super) flow: String,
    pub(super) project: Option<ProjectBranch>,
    /// The text that names it.
    pub(super) written: String,
}

/// Members of a flow, as Metaflow names them.
const MEMBERS: &[&str] = &["name", "project", "project_branch"];

/// `"Flow"`, `"project.branch.Flow"`, or a dictionary.
pub(super) fn read(item: &Literal, own: Option<&Project>) -> Result<Read, Refused> {
    match item {
        Literal::Str(text) => of_text(text, own),
        Literal::Dict(members) => of_members(members, own),
        Literal::None
        | Literal::Bool(_)
        | Literal::Int(_)
        | Literal::Float(_)
        | Literal::List(_) => Err(wrong(
            format!("a flow is {}", describe(item)),
            "write its name, or `{\"name\": \"SomeFlow\", \"project_branch\": \"prod\"}`",
        )),
    }
}

fn of_text(text: &str, own: Option<&Project>) -> Result<Read, Refused> {
    let Some((project, rest)) = text.split_once('.') else {
        return checked(text, text, None, None, own);
    };
    let Some((branch, flow)) = rest.rsplit_once('.') else {
        return Err((
            (
                format!("`{}` is no flow", text.escape_debug()),
                "a flow's name has no dot, or a project and a branch in front".to_owned(),
                format!("write `\"SomeFlow\"`, or all three, as in `\"{project}.prod.SomeFlow\"`"),
            ),
            Some(text.to_owned()),
        ));
    };
    checked(text, flow, Some(project), Some(branch), own)
}

fn of_members(members: &IndexMap<String, Literal>, own: Option<&Project>) -> Result<Read, Refused> {
    for key in members.keys() {
        if !MEMBERS.contains(&key.as_str()) {
            return Err((unknown("a flow", key, MEMBERS), Some(key.clone())));
        }
    }
    let text = |name: &str| match members.get(name) {
        None | Some(Literal::None) => Ok(None),
        Some(Literal::Str(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(wrong(
            format!("`{name}` of a flow is {}", describe(other)),
            "write a string",
        )),
    };
    let Some(flow) = text("name")? else {
        return Err(wrong(
            "a flow without `name`".to_owned(),
            "write `{\"name\": \"SomeFlow\"}`",
        ));
    };
    checked(flow, flow, text("project")?, text("project_branch")?, own)
}

fn checked(
    written: &str,
    flow: &str,
    project: Option<&str>,
    branch: Option<&str>,
    own: Option<&Project>,
) -> Result<Read, Refused> {
    let refused = |what: &str, text: &str, help: String| {
        let message = format!("invalid {what} `{}`", text.escape_debug());
        let word = if written.contains(text) {
            written
        } else {
            text
        };
        let wrong = (message, format!("not a {what}"), help);
        Err((wrong, Some(word.to_owned())))
    };
    if !is_word(flow, "") {
        let help = "name the flow's class: letters, digits and `_`".to_owned();
        return refused("name of a flow", flow, help);
    }
    if let Some(name) = project
        && let Some(said) = project::wrong_name(name)
    {
        return refused(
            "project name",
            name,
            format!("write the project's name: {said}"),
        );
    }
    if let Some(name) = branch
        && !(name.split('.').all(|part| is_word(part, "-")))
    {
        let help = "write the branch as it is shown: `prod`, `prod.name` or `test.name`";
        return refused("branch", name, help.to_owned());
    }
    let name = project.or(own.map(|own| own.name.as_str()));
    let project = match (name, branch) {
        (None, None) => None,
        (Some(name), branch) if branch.is_some() || own.is_some() => Some(ProjectBranch {
            name: name.to_owned(),
            branch: branch.map(str::to_owned),
        }),
        (said, _) => {
            let missing = if said.is_none() {
                "project"
            } else {
                "project_branch"
            };
            return Err((
                (
                    format!("the flow `{flow}` is in a project, and `{missing}` is not said"),
                    format!("of which {}?", missing.trim_start_matches("project_")),
                    "write both `project` and `project_branch`, or put this flow into the project by `@project`".to_owned(),
                ),
                Some(written.to_owned()),
            ));
        }
    };
    Ok(Read {
        flow: flow.to_owned(),
        project,
        written: written.to_owned(),
    })
}
