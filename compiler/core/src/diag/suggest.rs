//! "Did you mean": the nearest of the names that would have been right.

/// Longest edit distance at which a name still counts as a slip of the pen.
const DISTANCE_MAX: usize = 2;

/// The candidate nearest to `name`, within edit distance 2; the first one if several are equally near.
///
/// Short names allow less: of three letters at most one may differ, else everything resembles everything.
/// Two swapped letters count as one edit, and a name that differs only in case is always near.
pub fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = DISTANCE_MAX.min(name.chars().count().saturating_sub(1) / 2);
    let folded = name.to_lowercase();
    candidates
        .filter(|candidate| *candidate != name)
        .map(|candidate| {
            let distance = strsim::osa_distance(&folded, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[track_caller]
    fn check(name: &str, expect: Option<&str>) {
        let known = ["retry", "timeout", "catch", "cpu", "a"];
        assert_eq!(closest(name, known.into_iter()), expect);
    }

    #[test]
    fn a_slip_is_found() {
        check("rety", Some("retry"));
        check("rtery", Some("retry"));
        check("Retry", Some("retry"));
        check("timeuots", Some("timeout"));
        check("cpus", Some("cpu"));
    }

    #[test]
    fn another_word_is_not() {
        check("card", None);
        check("b", None);
        check("gpx", None);
        check("retry", None);
    }
}
