//! Settings whose defaults let a flow be compiled, and are nothing that a flow could be deployed to: a bucket, an account, an
//! image of that name is somebody else's, or nobody's.

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity};

use super::{FILE_NAME, Profile, Setting};

/// A setting whose default is a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `store`
    Store,
    /// `shim_image`
    ShimImage,
    /// `region` of Step Functions.
    Region,
    /// `account` of Step Functions.
    Account,
    /// `job_queue` of Step Functions.
    JobQueue,
    /// `image` of Step Functions, which has to hold the shim as no public image does; that of the profile will do.
    BatchImage,
}

impl Profile {
    /// The settings that nobody has made although they are needed, an error each.
    pub fn left_open(&self, needed: &[Placeholder]) -> Diagnostics {
        let mut found = Diagnostics::default();
        for placeholder in needed {
            if let Some(default) = self.default_of(*placeholder) {
                found.push(self.open(*placeholder, default));
            }
        }
        found
    }

    /// The placeholder's value; `None` if somebody has made the setting.
    fn default_of(&self, placeholder: Placeholder) -> Option<&str> {
        let aws = &self.step_functions;
        let setting = match placeholder {
            Placeholder::Store => &self.store,
            Placeholder::ShimImage => &self.shim_image,
            Placeholder::Region => &aws.region,
            Placeholder::Account => &aws.account,
            Placeholder::JobQueue => &aws.job_queue,
            Placeholder::BatchImage => aws.image.as_ref().unwrap_or(&self.image),
        };
        let Setting { value, span } = setting;
        span.is_none().then_some(value.as_str())
    }

    fn open(&self, placeholder: Placeholder, default: &str) -> Diagnostic {
        let name = &self.name;
        let of_aws = format!("[profile.{name}.step-functions]");
        let (key, table, why) = match placeholder {
            Placeholder::Store => (
                "store",
                format!("[profile.{name}]"),
                "a bucket of that name is somebody else's",
            ),
            Placeholder::ShimImage => (
                "shim_image",
                format!("[profile.{name}]"),
                "an image of that name in a public registry is not flowc's",
            ),
            Placeholder::Region => ("region", of_aws, "the flow may belong elsewhere"),
            Placeholder::Account => ("account", of_aws, "it is nobody's account"),
            Placeholder::JobQueue => ("job_queue", of_aws, "no job runs without a queue"),
            Placeholder::BatchImage => ("image", of_aws, "it does not hold `/flowc-shim`"),
        };
        let message = format!("the profile `{name}` does not set `{key}`");
        Diagnostic::new(Code::FC5011, Severity::Error, message)
            .note(format!("`{default}` is a placeholder: {why}"))
            .help(format!("set `{key}` in `{table}` of {FILE_NAME}"))
    }
}

#[cfg(test)]
mod tests {
    use flowc_core::source::{FileId, SourceTree, Span};

    use super::*;

    #[test]
    fn what_somebody_wrote_is_no_placeholder() {
        let all = [
            Placeholder::Store,
            Placeholder::ShimImage,
            Placeholder::Region,
            Placeholder::Account,
            Placeholder::JobQueue,
            Placeholder::BatchImage,
        ];
        let mut profile = Profile::default();
        let open = |profile: &Profile| {
            let found = profile.left_open(&all);
            let messages: Vec<_> = found.iter().map(|item| item.message.clone()).collect();
            messages
                .join(" ")
                .replace("the profile `default` does not set ", "")
        };
        assert_eq!(
            open(&profile),
            "`store` `shim_image` `region` `account` `job_queue` `image`"
        );
        let file: FileId = SourceTree::default().add("flowc.toml", "");
        let (start, end) = (0, 0);
        let span = Some(Span { file, start, end });
        // Even if it says the same.
        for setting in [&mut profile.store, &mut profile.image] {
            setting.span = span;
        }
        assert_eq!(
            open(&profile),
            "`shim_image` `region` `account` `job_queue`"
        );
        profile.step_functions.image = Some(Setting {
            value: "mine".to_owned(),
            span,
        });
        profile.image.span = None;
        assert!(!open(&profile).contains("`image`"));
        assert!(profile.left_open(&[]).is_empty());
    }
}
