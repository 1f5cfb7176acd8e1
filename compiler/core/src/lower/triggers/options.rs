//! `options` of both decorators.

use indexmap::IndexMap;

use super::{Pass, unknown};
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{Decorator, Literal};
use crate::ir::plan::Reset;
use crate::lower::attributes::{argument, entry};
use crate::lower::cron;
use crate::lower::flow_attributes::is_timezone;
use crate::source::Span;

impl Pass<'_> {
    /// `options={"reset_at": {"cron": ..., "timezone": ...}}`.
    pub(super) fn reset(&mut self, decorator: &Decorator) -> Option<Reset> {
        let given = argument(decorator, "options")?;
        let Literal::Dict(options) = &given.value.value else {
            return None;
        };
        let span = given.value.span;
        self.members("`options`", options, &["reset_at"], span);
        let members = match options.get("reset_at") {
            None | Some(Literal::None) => return None,
            Some(Literal::Dict(members)) => members,
            Some(_) => return self.no_reset("`reset_at` is no dictionary", span),
        };
        self.members("`reset_at`", members, &["cron", "timezone"], span);
        let timezone = match members.get("timezone") {
            None | Some(Literal::None) => None,
            Some(Literal::Str(name)) if is_timezone(name) => Some(name.clone()),
            Some(_) => return self.no_reset("`timezone` of `reset_at` is no time zone", span),
        };
        let Some(Literal::Str(cron)) = members.get("cron") else {
            return self.no_reset("`reset_at` has no `cron`", span);
        };
        match cron::convert(cron) {
            Ok(cron) => Some(Reset { cron, timezone }),
            Err(wrong) => {
                let message = format!("invalid cron expression `{}`", cron.escape_debug());
                let place = entry(self.tree, span, cron);
                let finding = Diagnostic::error(Code::FC0214, message, place, wrong);
                self.found.push(finding.help("write minute, hour, day of month, month and day of week, as in `\"cron\": \"30 6 * * MON-FRI\"`"));
                None
            }
        }
    }

    fn no_reset(&mut self, message: &str, span: Span) -> Option<Reset> {
        let finding = Diagnostic::error(Code::FC0227, message, span, "in these options");
        let help = "write `options={\"reset_at\": {\"cron\": \"0 6 * * *\", \"timezone\": \"Europe/Berlin\"}}`";
        self.found.push(finding.help(help));
        None
    }

    fn members(
        &mut self,
        of: &str,
        members: &IndexMap<String, Literal>,
        known: &[&str],
        span: Span,
    ) {
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let (message, label, help) = unknown(of, name, known);
            let place = entry(self.tree, span, name);
            let finding = Diagnostic::error(Code::FC0227, message, place, label);
            self.found.push(finding.help(help));
        }
    }
}
