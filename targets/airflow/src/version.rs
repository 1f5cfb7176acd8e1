//! The version of a DAG file: a digest of its text, inside the text.
//!
//! It is the last line of the DAG's documentation, because that is what Airflow's API shows of the *serialised* DAG in
//! 2.x and 3.x alike: tags and description come from another table, which is written earlier.
//! It also makes every change of the file a new DAG version in Airflow 3, whose own digest sees no constants.

use flowc_target::sha256_hex;

/// What stands before the digest.
const BEFORE: &str = "flowc version `";

/// Hex digits of the digest.
const DIGITS: usize = 12;

/// Renders a text whose version line is given, with the digest of that text where the digest is all zeros.
pub(crate) fn stamp(render: impl Fn(&str) -> String) -> String {
    let blank = render(&line(&"0".repeat(DIGITS)));
    render(&line(&digest(&blank)))
}

/// The version of a text that [`stamp`] made; `None` of any other text, and of one that was changed since.
#[cfg(any(feature = "deploy", test))]
pub(crate) fn of(text: &str) -> Option<String> {
    candidates(text).find_map(|(start, version)| {
        let mut blank = text.to_owned();
        blank.replace_range(start..start + DIGITS, &"0".repeat(DIGITS));
        (digest(&blank) == version).then(|| version.to_owned())
    })
}

/// Whether a documentation ends with the line of this version.
#[cfg(any(feature = "deploy", test))]
pub(crate) fn documents(documentation: &str, version: &str) -> bool {
    documentation.trim_end().ends_with(&line(version))
}

/// The version in the last line of a documentation.
#[cfg(any(feature = "deploy", test))]
pub(crate) fn documented(documentation: &str) -> Option<&str> {
    let (_, version) = candidates(documentation).last()?;
    documents(documentation, version).then_some(version)
}

fn line(version: &str) -> String {
    format!("{BEFORE}{version}`")
}

fn digest(text: &str) -> String {
    let mut digest = sha256_hex(text.as_bytes());
    digest.truncate(DIGITS);
    digest
}

/// Places and texts of everything that looks like a version.
#[cfg(any(feature = "deploy", test))]
fn candidates(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(BEFORE).filter_map(|(found, _)| {
        let start = found + BEFORE.len();
        let version = text.get(start..start + DIGITS)?;
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        version.chars().all(hex).then_some((start, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_carries_its_own_digest() {
        let text = stamp(|version| {
            format!("A doc that quotes flowc version `0123456789ab`.\n{version}\ncode\n")
        });
        let version = of(&text).unwrap();
        assert!(text.contains(&line(&version)));
        assert_eq!(of(&text.replace("code", "other code")), None);
        assert_eq!(of("code"), None);
    }

    #[test]
    fn a_documentation_ends_with_it() {
        let documentation = "Trains.\n\nflowc version `0123456789ab`\n";
        assert_eq!(documented(documentation), Some("0123456789ab"));
        assert!(documents(documentation, "0123456789ab"));
        assert!(!documents(documentation, "0123456789ac"));
        assert_eq!(documented("flowc version `0123456789ab` is good"), None);
        assert_eq!(documented("Trains."), None);
    }
}
