//! Random flows whose steps note how the run came to them.

use crate::flows::{Line, file_of, transition};

/// The flow as a Python file that can be run: each step notes in `trail` the way that led to it, with the place in the
/// foreaches around it. A foreach has two elements, a switch chooses by the length of the way, a loop goes round twice.
///
/// Metaflow hands over the branches of a split in any order, so that a join sorts what they noted.
pub(crate) fn source(class: &str, lines: &[Line]) -> String {
    file_of(class, lines, |line| {
        let before = if line.is_join {
            "sorted(sum((one.trail for one in inputs), []))"
        } else if line.name == "start" {
            "[]"
        } else {
            "self.trail"
        };
        let name = &line.name;
        let mut body = vec![
            "place = [frame.index for frame in self._foreach_stack]".to_owned(),
            format!("self.trail = {before} + [\"{name} %s %s\" % (place, self._iteration_stack)]"),
        ];
        if line.is_foreach {
            body.push("self.items = [\"one\", \"two\"]".to_owned());
        }
        let cases = line.targets.len();
        if line.targets.contains(name) {
            body.push("self.choice = int(self._iteration_stack[-1] > 0)".to_owned());
        } else if line.is_switch {
            body.push(format!("self.choice = len(self.trail) % {cases}"));
        }
        if cases > 0 {
            body.push(transition(line));
        }
        body.join("\n        ")
    })
}
