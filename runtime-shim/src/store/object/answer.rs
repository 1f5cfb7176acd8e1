//! What a store answered, for people.

use object_store::Error;

/// A missing key and a missing bucket are both 404; the body tells them apart.
pub(super) fn names_missing_bucket(error: &Error) -> bool {
    let signs = ["NoSuchBucket", "bucket does not exist", "ContainerNotFound"];
    says_one_of(error, &signs)
}

/// Whether a create-only write found the key: `412 Precondition Failed` of S3 and GCS (304 of some that speak like S3),
/// and of Azure a conflict of this name. A conflict alone does not say so.
pub(super) fn says_exists(error: &Error) -> bool {
    match status(error) {
        Some(304 | 412) => true,
        Some(409) => says_one_of(error, &["BlobAlreadyExists"]),
        _ => false,
    }
}

/// Whether another request to the same key was under way (S3: `ConditionalRequestConflict`, `OperationAborted`): to be
/// tried again.
pub(super) fn is_conflict(error: &Error) -> bool {
    status(error) == Some(409)
}

/// What an answer, or that there was none, means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The bucket or container is not there.
    NoBucket,
    /// Signed for another region than the bucket's.
    OtherRegion,
    /// Not allowed, or not any more.
    Denied,
    /// The signature's time is not the store's.
    WrongClock,
    /// The same request will get the same answer.
    Lasting,
    /// Worth another try.
    Passing,
}

impl Meaning {
    pub(super) fn of(error: &Error) -> Self {
        let says = |signs: &[&str]| says_one_of(error, signs);
        if names_missing_bucket(error) {
            return Self::NoBucket;
        }
        if says(&OTHER_REGION) {
            return Self::OtherRegion;
        }
        if says(&WRONG_CLOCK) {
            return Self::WrongClock;
        }
        if says(&DENIED) {
            return Self::Denied;
        }
        if says(&PASSING) {
            return Self::Passing;
        }
        match status(error) {
            Some(401 | 403) => Self::Denied,
            Some(404) => Self::NoBucket,
            Some(408 | 409 | 425 | 429) => Self::Passing,
            Some(300..=499 | 501) => Self::Lasting,
            Some(_) => Self::Passing,
            None => Self::without_status(error),
        }
    }

    fn without_status(error: &Error) -> Self {
        let is_lasting = matches!(
            error,
            Error::NotSupported { .. }
                | Error::NotImplemented { .. }
                | Error::InvalidPath { .. }
                | Error::UnknownConfigurationKey { .. }
        );
        let is_denied = matches!(
            error,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
        );
        if is_denied {
            Self::Denied
        } else if matches!(error, Error::NotFound { .. }) {
            Self::NoBucket
        } else if is_lasting {
            Self::Lasting
        } else {
            Self::Passing
        }
    }
}

/// S3 sends those who sign for a wrong region elsewhere, or tells them which one it expects.
const OTHER_REGION: [&str; 3] = [
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "incorrectly configured region",
];

/// Codes of S3 (and of GCS, which speaks like it), and what Azure says.
const WRONG_CLOCK: [&str; 3] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "Request date header too old",
];

/// Codes of S3 that come as 400, and where credentials are looked for last: the machine's own service, which most
/// machines lack.
const DENIED: [&str; 4] = [
    "<Code>ExpiredToken",
    "<Code>InvalidToken",
    "<Code>TokenRefreshRequired",
    "169.254.169.254",
];

/// What S3 answers by 400 or 404 where the request was cut short or the upload ended meanwhile.
const PASSING: [&str; 5] = [
    "<Code>RequestTimeout",
    "<Code>IncompleteBody",
    "<Code>BadDigest",
    "<Code>XAmzContentSHA256Mismatch",
    "<Code>NoSuchUpload",
];

/// The status of an answer. `object_store` shows it in its words alone.
fn status(error: &Error) -> Option<u16> {
    let text = whole(error);
    let (_, after) = text.split_once("non-2xx status code: ")?;
    after.get(..3)?.parse().ok()
}

fn says_one_of(error: &Error, signs: &[&str]) -> bool {
    let text = whole(error);
    signs.iter().any(|sign| text.contains(sign))
}

/// What happened, on one line and of bounded length.
pub(super) fn describe(error: &Error) -> String {
    shortened(&whole(error)).chars().take(600).collect()
}

/// The error and its causes, on one line.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without what the client says of itself, and with the code and the message of an XML body instead of the body.
fn shortened(line: &str) -> String {
    // From the request on, everything says what happened; before it stand the client's words for the kind of error.
    let from = line.find("Error performing ");
    let line = from.map_or(line, |from| &line[from + "Error ".len()..]);
    let line = match (line.find(", max_retries: "), line.find(" - ")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to..]),
        _ => line.to_owned(),
    };
    let (Some(code), Some(body)) = (element(&line, "Code"), line.find('<')) else {
        return line;
    };
    let said = match element(&line, "Message") {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    };
    format!("{}{said}", &line[..body])
}

/// The text of an element of XML.
pub(crate) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = after.split_once(&format!("</{name}>"))?;
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as `object_store` hands it over.
    fn answer(status: &str, body: &str) -> Error {
        let text = format!(
            "Error performing PUT http://h/b/k in 1ms - Server returned non-2xx status code: {status}: {body}"
        );
        Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    fn coded(status: &str, code: &str) -> Error {
        let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        answer(status, &body)
    }

    #[test]
    fn an_answer_means_what_it_says_and_no_more() {
        for (status, code, meaning) in [
            ("404 Not Found", "NoSuchBucket", Meaning::NoBucket),
            ("404 Not Found", "NoSuchUpload", Meaning::Passing),
            ("403 Forbidden", "AccessDenied", Meaning::Denied),
            ("403 Forbidden", "RequestTimeTooSkewed", Meaning::WrongClock),
            ("400 Bad Request", "ExpiredToken", Meaning::Denied),
            ("400 Bad Request", "KeyTooLongError", Meaning::Lasting),
            ("400 Bad Request", "RequestTimeout", Meaning::Passing),
            (
                "400 Bad Request",
                "AuthorizationHeaderMalformed",
                Meaning::OtherRegion,
            ),
            (
                "409 Conflict",
                "ConditionalRequestConflict",
                Meaning::Passing,
            ),
            (
                "412 Precondition Failed",
                "PreconditionFailed",
                Meaning::Lasting,
            ),
            ("429 Too Many Requests", "TooManyRequests", Meaning::Passing),
            (
                "500 Internal Server Error",
                "InternalError",
                Meaning::Passing,
            ),
            ("501 Not Implemented", "NotImplemented", Meaning::Lasting),
            ("503 Service Unavailable", "SlowDown", Meaning::Passing),
        ] {
            assert_eq!(
                Meaning::of(&coded(status, code)),
                meaning,
                "{status} {code}"
            );
        }
        let reset = Error::Generic {
            store: "S3",
            source: "Error performing PUT http://h/b/k in 1ms - HTTP error: connection reset"
                .into(),
        };
        assert_eq!(Meaning::of(&reset), Meaning::Passing);
    }

    #[test]
    fn a_conflict_does_not_say_that_a_key_exists() {
        let conflict = coded("409 Conflict", "ConditionalRequestConflict");
        assert!(is_conflict(&conflict) && !says_exists(&conflict));
        for there in [
            coded("412 Precondition Failed", "PreconditionFailed"),
            coded("409 Conflict", "BlobAlreadyExists"),
            answer("304 Not Modified", ""),
        ] {
            assert!(says_exists(&there), "{there}");
        }
        for other in ["403 Forbidden", "503 Service Unavailable", "404 Not Found"] {
            assert!(!says_exists(&coded(other, "X")), "{other}");
        }
    }

    #[test]
    fn an_answer_is_told_without_its_wrapping() {
        assert_eq!(
            shortened(
                r#"Object at location root/k not found: Error performing PUT http://h/b/root/k in 75.3ms - Server returned non-2xx status code: 404 Not Found: <?xml version="1.0" encoding="utf-8"?> <Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><HostId>9G</HostId></Error>"#
            ),
            "performing PUT http://h/b/root/k in 75.3ms - Server returned non-2xx status code: 404 Not Found: NoSuchBucket: The specified bucket does not exist"
        );
        assert_eq!(
            shortened(
                "Generic S3 error: Error performing PUT http://h/b/k in 1.0s, after 4 retries, max_retries: 4, retry_timeout: 4s - HTTP error: connection refused"
            ),
            "performing PUT http://h/b/k in 1.0s, after 4 retries - HTTP error: connection refused"
        );
        let other = "Generic S3 error: no region";
        assert_eq!(shortened(other), other);
    }
}
