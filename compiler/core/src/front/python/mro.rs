//! The order in which Python looks up attributes among a class and its bases.

use std::collections::HashSet;

use super::names::ClassAt;

/// A base as a class names it.
#[derive(Clone, Debug)]
pub(super) enum Base<'a> {
    /// A class that was read.
    Inside(ClassAt<'a>),
    /// Any other, by its dotted name; what it derives from is not looked at.
    Outside(String),
}

/// What tells a class from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Inside(usize, u32),
    Outside(String),
}

impl Base<'_> {
    fn key(&self) -> Key {
        match self {
            Base::Inside(at) => {
                let (module, start) = at.key();
                Key::Inside(module, start.to_u32())
            }
            Base::Outside(path) => Key::Outside(path.clone()),
        }
    }
}

/// The class and those of its bases that were read, in Python's order (C3, <https://www.python.org/download/releases/2.3/mro/>),
/// and the classes whose bases have none: these are taken in the order in which they are met last.
pub(super) fn order<'a>(
    class: ClassAt<'a>,
    bases: &mut dyn FnMut(ClassAt<'a>) -> Vec<Base<'a>>,
) -> (Vec<ClassAt<'a>>, Vec<ClassAt<'a>>) {
    let mut walk = Walk {
        bases,
        around: Vec::new(),
        unordered: Vec::new(),
    };
    let order = walk.linear(class);
    let read = order.into_iter().filter_map(|base| match base {
        Base::Inside(at) => Some(at),
        Base::Outside(_) => None,
    });
    (read.collect(), walk.unordered)
}

struct Walk<'b, 'a> {
    bases: &'b mut dyn FnMut(ClassAt<'a>) -> Vec<Base<'a>>,
    /// The classes that are being followed: a class that is among them would be its own base.
    around: Vec<Key>,
    unordered: Vec<ClassAt<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn linear(&mut self, class: ClassAt<'a>) -> Vec<Base<'a>> {
        let own = Base::Inside(class);
        self.around.push(own.key());
        let mut named = (self.bases)(class);
        let around = &self.around;
        named.retain(|base| !around.contains(&base.key()));
        let mut lists: Vec<Vec<Base<'a>>> = named
            .iter()
            .map(|base| match base {
                Base::Inside(at) => self.linear(*at),
                Base::Outside(_) => vec![base.clone()],
            })
            .collect();
        self.around.pop();
        let mut seen = HashSet::new();
        let twice = !named.iter().all(|base| seen.insert(base.key()));
        lists.push(named);
        let mut order = vec![own];
        if let Some(merged) = merged(lists.clone()).filter(|_| !twice) {
            order.extend(merged);
        } else {
            self.unordered.push(class);
            order.extend(as_met_last(lists));
        }
        order
    }
}

/// The merge of C3; `None` if there is no order in which every list keeps its own.
fn merged(mut lists: Vec<Vec<Base<'_>>>) -> Option<Vec<Base<'_>>> {
    let mut order = Vec::new();
    loop {
        lists.retain(|list| !list.is_empty());
        if lists.is_empty() {
            return Some(order);
        }
        let free = lists.iter().map(|list| &list[0]).find(|head| {
            let key = head.key();
            let mut tails = lists.iter().flat_map(|list| &list[1..]);
            !tails.any(|later| later.key() == key)
        });
        let head = free?.clone();
        let key = head.key();
        for list in &mut lists {
            if list[0].key() == key {
                list.remove(0);
            }
        }
        order.push(head);
    }
}

/// Each class once, where it is reached last.
fn as_met_last(lists: Vec<Vec<Base<'_>>>) -> Vec<Base<'_>> {
    let mut all: Vec<Base<'_>> = lists.into_iter().flatten().collect();
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|base| seen.insert(base.key()));
    all.reverse();
    all
}
