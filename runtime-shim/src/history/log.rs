//! What tasks printed, out of Metaflow's log format: `[MFLOG|0|<UTC time>Z|task|<id>]<text>`.

use crate::commit::Place;
use crate::store::{Store, StoreError};
use crate::task::Stream;

use super::AttemptRecord;

/// A printed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was printed.
    pub stream: Stream,
    /// `2026-11-21T00:28:12.820448`, UTC; empty if nobody noted it.
    pub time: Vec<u8>,
    /// Without its line end; not necessarily UTF-8.
    pub text: Vec<u8>,
}

/// Reads what an attempt has printed so far, by time; of those streams only for which `wanted` says so.
pub async fn read(
    store: &Store,
    place: &Place,
    attempt: &AttemptRecord,
    wanted: impl Fn(Stream) -> bool,
) -> Result<Vec<Line>, StoreError> {
    let streams = [
        (Stream::Stdout, attempt.stdout, "task_stdout.log"),
        (Stream::Stderr, attempt.stderr, "task_stderr.log"),
    ];
    let mut all = Vec::new();
    for (stream, size, file) in streams {
        if size == 0 || !wanted(stream) {
            continue;
        }
        let bytes = store.get(&place.of_attempt(attempt.number, file)).await?;
        all.extend(lines(stream, &bytes.unwrap_or_default()));
    }
    // Stable, so that lines of one stream that share a moment keep their order.
    all.sort_by(|a, b| a.time.cmp(&b.time));
    Ok(all)
}

/// The lines of a log file. One that is not finished is being written and left out; one without a header is taken as it
/// is and belongs to the moment of the line above.
pub fn lines(stream: Stream, bytes: &[u8]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(raw) = raw.strip_suffix(b"\n") else {
            break;
        };
        let (time, text) = match split_header(raw) {
            Some((time, text)) => (time.to_vec(), text),
            None => (
                lines
                    .last()
                    .map(|line| line.time.clone())
                    .unwrap_or_default(),
                raw,
            ),
        };
        lines.push(Line {
            stream,
            time,
            text: text.to_vec(),
        });
    }
    lines
}

fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line
        .strip_prefix(b"[MFLOG|0|")
        .or_else(|| line.strip_prefix(b"[!MFLOG|0|"))?;
    let end = rest.iter().position(|byte| *byte == b']')?;
    let (header, text) = (&rest[..end], &rest[end + 1..]);
    let mut fields = header.split(|byte| *byte == b'|');
    let time = fields.next()?.strip_suffix(b"Z")?;
    // Its source and its id.
    (fields.count() == 2).then_some((time, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        lines(Stream::Stdout, bytes)
            .iter()
            .map(|line| (text(&line.time), text(&line.text)))
            .collect()
    }

    #[test]
    fn headers_are_taken_off_and_text_is_left_alone() {
        let log = b"[MFLOG|0|2026-11-21T00:28:12.820448Z|task|ab-1]a [MFLOG|0|x] | b]\n\
            no header ]\n\
            [MFLOG|0|2026-11-21T00:28:13.000000Z|runtime|c]\n\
            [MFLOG|0|unfinished";
        assert_eq!(
            texts(log),
            [
                (
                    "2026-11-21T00:28:12.820448".to_owned(),
                    "a [MFLOG|0|x] | b]".to_owned()
                ),
                (
                    "2026-11-21T00:28:12.820448".to_owned(),
                    "no header ]".to_owned()
                ),
                ("2026-11-21T00:28:13.000000".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn what_only_looks_like_a_header_is_text() {
        for text in [
            "[MFLOG|0|x]y",
            "[MFLOG|1|2026Z|task|1]y",
            "[MFLOG|0|2026Z|task|",
        ] {
            let shown = texts(format!("{text}\n").as_bytes());
            assert_eq!(shown, [(String::new(), text.to_owned())]);
        }
    }
}
