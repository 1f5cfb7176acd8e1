//! Lists of names as prose.

/// Names that are written out before "and n more".
const NAMED: usize = 5;

/// `` `a` ``, `` `a` and `b` ``, `` `a`, `b`, … and 7 more ``.
pub(crate) fn names<'a>(items: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = items.len();
    let shown = if count > NAMED { NAMED } else { count };
    let mut words: Vec<String> = items.take(shown).map(|name| format!("`{name}`")).collect();
    if count > shown {
        words.push(format!("{} more", count - shown));
    }
    let Some(last) = words.pop() else {
        return String::new();
    };
    if words.is_empty() {
        return last;
    }
    format!("{} and {last}", words.join(", "))
}

/// The verb that fits the number of items, and then the items.
pub(crate) fn list<'a>(
    items: impl ExactSizeIterator<Item = &'a str>,
    one: &str,
    several: &str,
) -> String {
    let verb = if items.len() == 1 { one } else { several };
    format!("{verb} {}", names(items))
}
