//! The project and the branch to which a flow belongs.
//!
//! Rules and names are those of Metaflow: `metaflow/plugins/project_decorator.py`, read at 2.19.38.

use crate::source::Span;

/// Longest name of a project or branch (`VALID_NAME_LEN`).
const NAME_MAX: usize = 128;

/// `@project`, and what was said of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// `[a-z0-9_]+`, at most 128.
    pub name: String,
    /// The branch's own name, as the flow says it or whoever compiles it; `[a-z0-9_]+`, at most 128.
    pub branch: Option<String>,
    /// Whether the branch is of production.
    pub production: bool,
    /// Where the decorator says `branch`, if it does: then nobody else may say otherwise.
    pub branch_span: Option<Span>,
    /// Where the decorator says `production`, if it does.
    pub production_span: Option<Span>,
    /// Where the decorator stands.
    pub span: Span,
}

impl Project {
    /// `prod`, `prod.b` or `test.b`; `None` where nobody said anything, so that it is the branch of whoever runs the flow.
    pub fn branch_name(&self) -> Option<String> {
        match (self.production, &self.branch) {
            (true, None) => Some("prod".to_owned()),
            (true, Some(branch)) => Some(format!("prod.{branch}")),
            (false, Some(branch)) => Some(format!("test.{branch}")),
            (false, None) => None,
        }
    }

    /// What tells a flow's deployments apart: `shop.prod.TrainFlow`.
    pub fn flow_name(&self, flow: &str) -> String {
        match self.branch_name() {
            Some(branch) => format!("{}.{branch}.{flow}", self.name),
            None => format!("{}.{flow}", self.name),
        }
    }
}

/// What is wrong with the name of a project or branch, if anything.
pub fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() {
        Some("a name has at least one character".to_owned())
    } else if !name.chars().all(is_legal) {
        Some("only `a` to `z`, digits and underscores are allowed".to_owned())
    } else if name.len() > NAME_MAX {
        Some(format!("longer than {NAME_MAX} characters"))
    } else {
        None
    }
}

/// A legal name like this one; of nothing, nothing can be made.
pub fn legal_name(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let legal = lower.chars().map(|c| if is_legal(c) { c } else { '_' });
    let legal: String = legal.take(NAME_MAX).collect();
    (!legal.is_empty()).then_some(legal)
}

fn is_legal(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, SourceTree};

    fn project(branch: Option<&str>, production: bool) -> Project {
        let file: FileId = SourceTree::default().add("flow.py", "");
        Project {
            name: "shop".to_owned(),
            branch: branch.map(str::to_owned),
            production,
            branch_span: None,
            production_span: None,
            span: Span {
                file,
                start: 0,
                end: 0,
            },
        }
    }

    #[test]
    fn branches_are_named_as_metaflow_names_them() {
        for (branch, production, name, flow_name) in [
            (None, false, None, "shop.F"),
            (None, true, Some("prod"), "shop.prod.F"),
            (Some("next"), false, Some("test.next"), "shop.test.next.F"),
            (Some("next"), true, Some("prod.next"), "shop.prod.next.F"),
        ] {
            let project = project(branch, production);
            assert_eq!(project.branch_name().as_deref(), name);
            assert_eq!(project.flow_name("F"), flow_name);
        }
    }

    #[test]
    fn names_are_checked_and_mended() {
        for good in ["a", "_", "a_1", &"x".repeat(NAME_MAX)] {
            assert_eq!(wrong_name(good), None, "{good}");
        }
        for wrong in ["", "A", "a-b", "a.b", "ü", &"x".repeat(NAME_MAX + 1)] {
            assert!(wrong_name(wrong).is_some(), "{wrong}");
            let mended = legal_name(wrong);
            assert_eq!(mended.is_none(), wrong.is_empty());
            assert!(mended.is_none_or(|name| wrong_name(&name).is_none()));
        }
    }
}
