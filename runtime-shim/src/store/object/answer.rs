//! What a store answered, for people.

use object_store::Error;

/// A missing key and a missing bucket are both 404; the body tells them apart.
pub(super) fn names_missing_bucket(error: &Error) -> bool {
    let signs = ["NoSuchBucket", "bucket does not exist", "ContainerNotFound"];
    says_one_of(error, &signs)
}

/// S3 sends those who sign for a wrong region elsewhere, or tells them which one it expects.
pub(super) fn names_other_region(error: &Error) -> bool {
    let signs = [
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "incorrectly configured region",
    ];
    says_one_of(error, &signs)
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
