//! What a value in `flowc.toml` may look like.
//!
//! The alphabets keep every value out of the reach of templating: no braces, no dollar signs, no white space.

/// A predicate with the words that say what was expected.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Completes the sentence "expected …".
    pub(super) expected: &'static str,
    /// Whether the text is as expected.
    pub(super) holds: fn(&str) -> bool,
}

pub(super) const STORE: Rule = Rule {
    expected: "`s3://bucket/prefix`, `gs://…`, `az://…` or a local folder",
    holds: |text| {
        !text.is_empty()
            && match text.split_once("://") {
                Some(_) => super::RemoteStore::parse(text).is_some(),
                None => !text.chars().any(char::is_control),
            }
    },
};

pub(super) const DAGS: Rule = Rule {
    expected: "a folder, `s3://bucket/prefix` or `gs://bucket/prefix`",
    holds: |text| (STORE.holds)(text) && !text.starts_with("az://"),
};

// Credentials in it would end up in logs and in a file under version control.
pub(super) const URL: Rule = Rule {
    expected: "a URL such as `https://airflow.example.com`, without user, query, or slash at its end",
    holds: |text| {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && !rest.ends_with('/')
                && rest.chars().all(|c| is_word(c) || ".:/[]~-".contains(c))
        })
    },
};

pub(super) const IMAGE: Rule = Rule {
    expected: "an image such as `registry.example.com/team/image:tag`",
    holds: is_image,
};

pub(super) const ARN_ROLE: Rule = Rule {
    expected: "the ARN of a role, `arn:aws:iam::123456789012:role/name`",
    holds: |text| {
        text.starts_with("arn:")
            && text.contains(":role/")
            && text.len() <= 2048
            && text.chars().all(|c| is_word(c) || ":/+=,.@-".contains(c))
    },
};

pub(super) const BRANCH: Rule = Rule {
    expected: "a name of `a` to `z`, digits and underscores, at most 128",
    holds: |text| flowc_core::ir::project::wrong_name(text).is_none(),
};

pub(super) const REGION: Rule = Rule {
    expected: "an AWS region such as `eu-central-1`",
    holds: |text| {
        text.contains('-')
            && text.len() <= 32
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    },
};

pub(super) const ACCOUNT: Rule = Rule {
    expected: "an AWS account number of 12 digits",
    holds: |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
};

pub(super) const JOB_QUEUE: Rule = Rule {
    expected: "the name or ARN of a job queue",
    holds: |text| {
        let name = match text.split_once(":job-queue/") {
            Some((head, name)) if head.starts_with("arn:") => {
                if !head.chars().all(|c| is_word(c) || c == ':' || c == '-') {
                    return false;
                }
                name
            }
            _ => text,
        };
        (1..=128).contains(&name.len()) && name.chars().all(|c| is_word(c) || c == '-')
    },
};

// EventBridge: `[/.-_A-Za-z0-9]+`, at most 256 (`CreateEventBus`); a bus of another account is named by its ARN.
pub(super) const EVENT_BUS: Rule = Rule {
    expected: "the name or ARN of an event bus",
    holds: |text| {
        let name = match text.split_once(":event-bus/") {
            Some((head, name)) if head.starts_with("arn:") => {
                if !head.chars().all(|c| is_word(c) || c == ':' || c == '-') {
                    return false;
                }
                name
            }
            _ => text,
        };
        (1..=256).contains(&name.len()) && name.chars().all(|c| is_word(c) || "/.-".contains(c))
    },
};

// A context has any name: `arn:aws:eks:…`, `user@cluster`. It reaches no manifest.
pub(super) const CONTEXT: Rule = Rule {
    expected: "the name of a context, as `kubectl config get-contexts` shows it",
    holds: |text| !text.is_empty() && !text.chars().any(char::is_control),
};

pub(super) const DNS_LABEL: Rule = Rule {
    expected: "a Kubernetes name: lower-case letters, digits and `-`, at most 63",
    holds: |text| text.len() <= 63 && is_dns_label(text),
};

// A key of the event source's map, which becomes part of a NATS subject: neither dots nor wildcards.
pub(super) const EVENT_NAME: Rule = Rule {
    expected: "letters, digits, `_` and `-`, at most 63",
    holds: |text| (1..=63).contains(&text.len()) && text.chars().all(|c| is_word(c) || c == '-'),
};

pub(super) const DNS_SUBDOMAIN: Rule = Rule {
    expected: "a Kubernetes name: lower-case letters, digits, `-` and `.`, at most 253",
    holds: |text| text.len() <= 253 && text.split('.').all(is_dns_label),
};

pub(super) const LABEL_KEY: Rule = Rule {
    expected: "a Kubernetes label name such as `team` or `example.com/team`",
    holds: is_label_key,
};

pub(super) const LABEL_VALUE: Rule = Rule {
    expected: "a Kubernetes label value: letters, digits, `-`, `_` and `.`, at most 63, letters or digits at both ends",
    holds: is_label_value,
};

pub(super) const ENV_NAME: Rule = Rule {
    expected: "letters, digits and `_`, not a digit first, and not `FLOWC_…`, which the shim uses",
    holds: |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(is_word)
            && !text.starts_with("FLOWC_")
    },
};

pub(super) const ENV_VALUE: Rule = Rule {
    expected: "a text without NUL",
    holds: |text| !text.contains('\0'),
};

pub(super) const PATTERN: Rule = Rule {
    expected: "a pattern of paths below the flow's folder, with `/`, such as `data/*.csv`",
    holds: |text| {
        !text.is_empty() && !text.starts_with('/') && !text.split('/').any(|part| part == "..")
    },
};

pub(super) const AIRFLOW_NAME: Rule = Rule {
    expected: "letters, digits, `_`, `-` and `.`, at most 250",
    holds: |text| {
        (1..=250).contains(&text.len()) && text.chars().all(|c| is_word(c) || "-.".contains(c))
    },
};

// Airflow: at most 100 characters (`airflow/models/dag.py`, `TAG_MAX_LEN`, read in 2.11.2).
pub(super) const AIRFLOW_TAG: Rule = Rule {
    expected: "letters, digits, `_`, `-`, `.`, `:` and `/`, at most 100",
    holds: |text| {
        (1..=100).contains(&text.len()) && text.chars().all(|c| is_word(c) || "-.:/".contains(c))
    },
};

/// The ARN of a role.
pub fn is_role_arn(text: &str) -> bool {
    (ARN_ROLE.holds)(text)
}

/// Name or ARN of a Batch job queue.
pub fn is_job_queue(text: &str) -> bool {
    (JOB_QUEUE.holds)(text)
}

/// A namespace's name: a DNS label.
pub fn is_namespace(text: &str) -> bool {
    (DNS_LABEL.holds)(text)
}

/// A Kubernetes object's name: a DNS subdomain.
pub fn is_object_name(text: &str) -> bool {
    (DNS_SUBDOMAIN.holds)(text)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// An image reference, loosely: the registry has the last word, but nothing here can be read as a template.
pub fn is_image(text: &str) -> bool {
    text.len() <= 512
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| is_word(c) || ".:/@+-".contains(c))
}

/// RFC 1123 label, of any length.
fn is_dns_label(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// Kubernetes: at most 63 characters of `[A-Za-z0-9._-]`, empty or alphanumeric at both ends.
pub fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.chars().all(|c| is_word(c) || c == '.' || c == '-')
            && text.starts_with(edge)
            && text.ends_with(edge))
}

/// Kubernetes: a label value that is not empty, after an optional DNS subdomain and `/`.
pub fn is_label_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        Some((prefix, name)) => {
            if prefix.len() > 253 || !prefix.split('.').all(is_dns_label) {
                return false;
            }
            name
        }
        None => text,
    };
    !name.is_empty() && is_label_value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: Rule, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!((rule.holds)(text), "{text:?} should pass");
        }
        for text in bad {
            assert!(!(rule.holds)(text), "{text:?} should not pass");
        }
    }

    #[test]
    fn nothing_that_a_template_reads_passes() {
        for rule in [
            URL,
            IMAGE,
            ARN_ROLE,
            REGION,
            ACCOUNT,
            JOB_QUEUE,
            DNS_LABEL,
            DNS_SUBDOMAIN,
            LABEL_KEY,
            LABEL_VALUE,
            ENV_NAME,
            AIRFLOW_NAME,
            AIRFLOW_TAG,
        ] {
            check(
                rule,
                &[],
                &[
                    "{{x}}", "$(id)", "a b", "a\nb", "`id`", "${HOME}", "{% x %}", "é", "\u{2028}",
                ],
            );
        }
    }

    #[test]
    fn ordinary_values_pass() {
        check(
            STORE,
            &[
                "s3://b1c/p/q",
                "gs://bucket",
                "az://con/x",
                "./folder",
                "/abs dir",
            ],
            &["", "s3://", "ftp://x"],
        );
        check(
            DAGS,
            &["/opt/airflow/dags", "s3://b1c/dags", "gs://bucket"],
            &["", "az://con/x"],
        );
        check(
            URL,
            &[
                "https://a.example.com/airflow",
                "http://127.0.0.1:8080",
                "http://[::1]:80",
            ],
            &[
                "ftp://x",
                "https://me:secret@x",
                "https://x/",
                "https://x?y",
                "https://",
            ],
        );
        check(
            IMAGE,
            &["python:3.12-slim", "r.io:5000/a/b@sha256:00"],
            &["-x", ""],
        );
        check(
            ARN_ROLE,
            &["arn:aws:iam::123456789012:role/a/b"],
            &["role/x"],
        );
        check(
            JOB_QUEUE,
            &["flowc", "arn:aws:batch:us-east-1:123456789012:job-queue/q"],
            &[""],
        );
        check(DNS_LABEL, &["argo"], &["Argo", "-a", "a.b"]);
        check(LABEL_KEY, &["team", "a.b/c_d"], &["a/b/c", "/x", "x/"]);
        check(LABEL_VALUE, &["", "a", "a.b-c_d"], &["-a", "a-"]);
        check(ENV_NAME, &["A", "_b1"], &["1a", "FLOWC_RUN", ""]);
        check(PATTERN, &["data/*.csv", "**/*.sql"], &["../x", "/etc", ""]);
    }
}
