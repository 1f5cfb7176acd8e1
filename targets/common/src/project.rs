//! Which branch of its project a flow is deployed on.
//!
//! The flow says it, or an option of the command line, or the profile. Metaflow's default, the branch of whoever runs the
//! flow, is none for a deployment: a bundle must not depend on who compiles it (docs/decisions/0006-branches.md).

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity};
use flowc_core::ir::plan::Plan;
use flowc_core::ir::project;
use flowc_core::source::Span;

use crate::Profile;

/// What is said of the branch besides the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchChoice {
    /// `--branch`
    pub branch: Option<String>,
    /// `--production`
    pub production: bool,
}

impl BranchChoice {
    /// Whether anything is said.
    pub fn is_made(&self) -> bool {
        self.branch.is_some() || self.production
    }
}

/// Puts a flow onto the branch that the options say, or the profile where they say nothing.
///
/// Options without a project are an error; a profile, which serves many flows, may say a branch for those that have one.
pub fn choose(plan: &mut Plan, options: &BranchChoice, profile: Option<&Profile>) -> Diagnostics {
    let mut found = Diagnostics::default();
    if plan.project.is_none() && options.is_made() {
        found.push(without_project(plan, options));
        return found;
    }
    let Some(project) = &mut plan.project else {
        return found;
    };
    let (branch, production) = match profile {
        Some(profile) if !options.is_made() => {
            let branch = profile.branch.as_ref();
            let said = profile.production.value.then_some(&profile.production);
            (
                branch.map(|branch| (branch.value.clone(), Place::Profile(branch.span))),
                said.map(|said| Place::Profile(said.span)),
            )
        }
        _ => {
            let branch = options.branch.clone();
            (
                branch.map(|branch| (branch, Place::Option)),
                options.production.then_some(Place::Option),
            )
        }
    };
    if let Some((name, place)) = branch {
        if let Some(wrong) = project::wrong_name(&name) {
            let message = format!("invalid branch name `{}`", name.escape_debug());
            let diagnostic = Diagnostic::new(Code::FC0215, Severity::Error, message).note(wrong);
            found.push(match project::legal_name(&name) {
                Some(better) => diagnostic.help(format!("use `{better}`")),
                None => diagnostic.help("leave it out, or give it a name"),
            });
        } else if let Some(span) = project.branch_span {
            if project.branch.as_deref() != Some(&name) {
                found.push(place.twice("branch", span));
            }
        } else {
            project.branch = Some(name);
        }
    }
    if let Some(place) = production {
        match project.production_span {
            Some(span) if !project.production => found.push(place.twice("production", span)),
            Some(_) => {}
            None => project.production = true,
        }
    }
    found
}

/// Where something is said besides the flow.
enum Place {
    Option,
    Profile(Option<Span>),
}

impl Place {
    fn twice(self, what: &str, span: Span) -> Diagnostic {
        let (who, profile) = match self {
            Place::Option => (format!("`--{what}`"), None),
            Place::Profile(span) => (format!("`{what}` of the profile"), span),
        };
        let message = format!("`@project` and {who} say different things");
        let diagnostic = Diagnostic::error(Code::FC0225, message, span, "said here");
        let diagnostic = match profile {
            Some(other) => diagnostic.label(other, "and here"),
            None => diagnostic,
        };
        diagnostic.help(format!(
            "take `{what}` away from the decorator, or leave {who} out"
        ))
    }
}

fn without_project(plan: &Plan, options: &BranchChoice) -> Diagnostic {
    let option = match options.branch {
        Some(_) => "--branch",
        None => "--production",
    };
    let message = format!(
        "`{option}` is about a project, and {} is in none",
        plan.flow
    );
    let diagnostic = Diagnostic::error(Code::FC0226, message, plan.span, "has no `@project`");
    let name = option.trim_start_matches('-');
    let meant = plan
        .parameters
        .iter()
        .find(|parameter| parameter.name == name);
    match meant {
        Some(_) => diagnostic.help(format!("the parameter is given as `--param {name}=VALUE`")),
        None => diagnostic.help(format!(
            "write `@project(name=\"…\")` above the class, or leave `{option}` out"
        )),
    }
}

/// What keeps a flow from being deployed: it is in a project, and nobody said on which branch.
pub fn undecided(plan: &Plan) -> Option<Diagnostic> {
    let project = plan.project.as_ref()?;
    if project.branch_name().is_some() {
        return None;
    }
    let message = format!("nothing says on which branch {} is deployed", plan.flow);
    Some(
        Diagnostic::error(
            Code::FC0309,
            message,
            project.span,
            format!("one of the branches of `{}`", project.name),
        )
        .note("only `flowc run` takes the branch `user.NAME` of whoever runs it")
        .help("say `--production` or `--branch NAME`, or set `production = true` or `branch = \"NAME\"` in the profile"),
    )
}

#[cfg(test)]
mod tests {
    use flowc_core::ir::project::Project;

    use super::*;
    use crate::profile::Setting;
    use crate::testing::{self, source};

    fn plan(project: &str) -> Plan {
        testing::plan(&source(&format!(
            "{project}\nclass F(FlowSpec):\n    branch = Parameter('branch', default='x')\n\n    @step\n    def start(self):\n        self.next(self.end)\n\n    @step\n    def end(self):\n        pass\n"
        )))
    }

    fn options(branch: &str, production: bool) -> BranchChoice {
        BranchChoice {
            branch: (branch != "-").then(|| branch.to_owned()),
            production,
        }
    }

    fn profile(branch: &str, production: bool) -> Profile {
        Profile {
            branch: (branch != "-").then(|| branch.into()),
            production: Setting::given(production),
            ..Profile::default()
        }
    }

    /// The branch, or the codes of what was found.
    fn chosen(decorator: &str, options: &BranchChoice, profile: Option<&Profile>) -> String {
        let mut plan = plan(&format!("@project(name='shop'{decorator})"));
        let found = choose(&mut plan, options, profile);
        let codes: Vec<_> = found.iter().map(|item| item.code.to_string()).collect();
        if !codes.is_empty() {
            return codes.join(" ");
        }
        let branch = plan.project.as_ref().and_then(Project::branch_name);
        assert_eq!(branch.is_none(), undecided(&plan).is_some());
        branch.unwrap_or_default()
    }

    /// The rows were tried with Metaflow 2.19.38, whose error is FC0225 here.
    #[test]
    fn flow_and_options_agree_as_in_metaflow() {
        for (decorator, branch, production, expected) in [
            ("", "-", false, ""),
            ("", "-", true, "prod"),
            ("", "b", false, "test.b"),
            ("", "b", true, "prod.b"),
            (", branch='a'", "-", false, "test.a"),
            (", branch='a'", "-", true, "prod.a"),
            (", branch='a'", "a", false, "test.a"),
            (", branch='a'", "b", false, "FC0225"),
            (", branch=None", "b", false, "FC0225"),
            (", production=True", "-", false, "prod"),
            (", production=True", "-", true, "prod"),
            (", production=True", "b", false, "prod.b"),
            (", production=False", "-", true, "FC0225"),
            (
                ", branch=None, production=False",
                "b",
                true,
                "FC0225 FC0225",
            ),
            ("", "B", false, "FC0215"),
            ("", "", false, "FC0215"),
            ("", "a.b", true, "FC0215"),
        ] {
            let found = chosen(decorator, &options(branch, production), None);
            assert_eq!(found, expected, "{decorator} {branch} {production}");
        }
    }

    #[test]
    fn the_profile_speaks_where_no_option_does() {
        let nothing = options("-", false);
        for (decorator, options, profile, expected) in [
            ("", &nothing, profile("-", true), "prod"),
            ("", &nothing, profile("p", true), "prod.p"),
            ("", &nothing, profile("p", false), "test.p"),
            ("", &options("b", false), profile("p", true), "test.b"),
            ("", &options("-", true), profile("p", false), "prod"),
            (", production=True", &nothing, profile("p", false), "prod.p"),
            (", branch='a'", &nothing, profile("p", false), "FC0225"),
            (", production=False", &nothing, profile("-", true), "FC0225"),
        ] {
            let found = chosen(decorator, options, Some(&profile));
            assert_eq!(found, expected, "{decorator} {options:?}");
        }
    }

    #[test]
    fn only_options_need_a_project() {
        let mut plan = plan("");
        let found = choose(&mut plan, &options("-", false), Some(&profile("p", true)));
        assert!(found.is_empty() && undecided(&plan).is_none());
        for (choice, help) in [
            (options("-", true), "@project(name="),
            (options("b", true), "--param branch="),
        ] {
            let found = choose(&mut plan, &choice, None);
            let one = found.iter().next().unwrap();
            assert_eq!(one.code, Code::FC0226);
            assert!(one.help.as_ref().unwrap().contains(help), "{one:?}");
        }
    }
}
