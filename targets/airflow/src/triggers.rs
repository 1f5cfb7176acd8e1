//! What starts runs besides people: the clock, events, and runs of other flows, which are assets of Airflow's.
//!
//! An asset is known by its URI alone: `flowc://event/<name>` for an event and `flowc://run/<DAG id>` for the runs of a
//! flow, which the end step of each flow's DAG updates. A DAG whose schedule is a list of assets runs once all have been
//! updated since it last ran.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::Plan;

use crate::layout::Expr;
use crate::names::legal_id;

/// The argument `schedule=`.
pub(crate) fn schedule(plan: &Plan) -> Expr {
    let clock = plan.schedule.as_ref().map(|schedule| {
        let zone = schedule.timezone.as_deref().unwrap_or("UTC");
        let cron = Expr::text(schedule.cron.as_str());
        let zone = vec![("timezone", Expr::text(zone))];
        Expr::Call("CronTriggerTimetable".to_owned(), vec![cron], zone)
    });
    let assets = plan.triggers.as_ref();
    let assets = assets.map(|_| Expr::Code("TRIGGERS".to_owned()));
    match (clock, assets) {
        (Some(clock), Some(assets)) => {
            let both = vec![("timetable", clock), ("assets", assets)];
            Expr::call("AssetOrTimeSchedule", both)
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => Expr::Data(Literal::None),
    }
}

/// The assets: the one that each run's end updates, those that start runs, and the parameters that come with these.
pub(crate) fn constants(plan: &Plan, dag_id: &str) -> Vec<(&'static str, Expr)> {
    let asset = |uri: String| Expr::Call("Asset".to_owned(), vec![Expr::text(uri)], Vec::new());
    let run = |dag_id: &str| asset(format!("flowc://run/{dag_id}"));
    let mut constants = vec![("DONE", run(dag_id))];
    if let Some(triggers) = &plan.triggers {
        let own = plan.project.as_ref();
        let assets = triggers
            .on
            .iter()
            .map(|trigger| match trigger.flow_name(own) {
                Some(flow) => run(&legal_id(&flow)),
                None => asset(format!("flowc://event/{}", trigger.event_name(own))),
            });
        constants.push(("TRIGGERS", Expr::List(assets.collect())));
    }
    let needed: Vec<Expr> = needed(plan).map(Expr::text).collect();
    if !needed.is_empty() {
        constants.push(("NEEDED", Expr::List(needed)));
    }
    constants
}

/// Required parameters of a flow that is triggered: events give them, and Airflow starts no such DAG by itself if one has no default.
pub(crate) fn needed(plan: &Plan) -> impl Iterator<Item = &str> {
    let is_triggered = plan.triggers.is_some();
    let required = plan
        .parameters
        .iter()
        .filter(move |it| is_triggered && it.required);
    required.map(|parameter| parameter.name.as_str())
}

/// Refuses what Airflow's assets cannot say.
pub(crate) fn check(plan: &Plan, found: &mut Diagnostics) {
    let Some(triggers) = &plan.triggers else {
        return;
    };
    if triggers.reset.is_some() && triggers.on.len() > 1 {
        let message = "airflow keeps events until all have come";
        let label = "`reset_at` would forget them before";
        found.push(
            Diagnostic::error(Code::FC0301, message, triggers.span, label)
                .help("remove `reset_at`, or let the flow look how old its events are: `current.trigger.events`"),
        );
    }
    for trigger in &triggers.on {
        let uri = trigger.event_name(plan.project.as_ref());
        if uri.len() > URI_MAX {
            let message = format!("airflow takes URIs of assets of up to {URI_MAX} characters");
            let label = format!("the name of the event has {}", uri.len());
            found.push(Diagnostic::error(
                Code::FC0308,
                message,
                trigger.span(),
                label,
            ));
        }
    }
}

/// Longest name in a URI of ours; the URI has 1500 characters at most (`airflow/models/asset.py`, `AssetModel.uri`, read in 3.3).
const URI_MAX: usize = 1500 - "flowc://event/".len();
