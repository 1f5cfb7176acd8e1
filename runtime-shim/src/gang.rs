//! Tasks that run at the same time and succeed or fail together.
//!
//! A result is there for ever once it is committed, and a gang is retried as a whole. So no node commits before all have
//! ended well: each waits here with what it has saved, and if one fails the others are stopped and have failed too.

use std::collections::BTreeSet;

use flowc_protocol::identity::IndexPath;
use tokio::sync::watch;

/// What the nodes of one gang share while they run.
#[derive(Debug)]
pub struct Gang {
    nodes: u32,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nodes whose process is there, waiting for its task.
    ready: BTreeSet<u32>,
    /// Nodes that have ended well.
    ended: BTreeSet<u32>,
    /// The node that failed first.
    failed: Option<u32>,
}

impl Gang {
    /// A gang of so many nodes, none of which has ended.
    #[must_use]
    pub fn new(nodes: u32) -> Self {
        Self {
            nodes,
            state: watch::Sender::default(),
        }
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// The node that a task is: its index in the innermost foreach.
    pub(crate) fn node(index: &IndexPath) -> u32 {
        index.indices().last().copied().unwrap_or_default()
    }

    /// Records that a node ended well.
    pub fn ended(&self, index: &IndexPath) {
        self.state.send_modify(|state| {
            // A node that had a result already never needed a process.
            state.ready.insert(Self::node(index));
            state.ended.insert(Self::node(index));
        });
    }

    /// Waits until the processes of all nodes are there; an error if a node fails before.
    ///
    /// Only then are attempts claimed: so all nodes are in the same attempt, also if one fails at once.
    pub(crate) async fn all_ready(&self, index: &IndexPath) -> Result<(), u32> {
        self.state.send_modify(|state| {
            state.ready.insert(Self::node(index));
        });
        let mut state = self.state.subscribe();
        let all = self.nodes as usize;
        let over = |state: &State| state.failed.is_some() || state.ready.len() == all;
        // The sender lives as long as `self`.
        let are_ready = state
            .wait_for(over)
            .await
            .is_ok_and(|state| state.ready.len() == all);
        match self.culprit().filter(|_| !are_ready) {
            Some(node) => Err(node),
            None => Ok(()),
        }
    }

    /// Records that a node failed; only the first is remembered.
    pub fn failed(&self, index: &IndexPath) {
        self.state.send_modify(|state| {
            state.failed.get_or_insert(Self::node(index));
        });
    }

    /// Waits until a node has failed.
    pub async fn broken(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| state.failed.is_some()).await;
    }

    /// The node that failed first, if one has.
    pub fn culprit(&self) -> Option<u32> {
        self.state.borrow().failed
    }

    /// Waits until all nodes have ended well; the one that failed if one does.
    pub(crate) async fn all_ended(&self) -> Result<(), u32> {
        let mut state = self.state.subscribe();
        let all = self.nodes as usize;
        let over = |state: &State| state.failed.is_some() || state.ended.len() == all;
        // The sender lives as long as `self`.
        let _ = state.wait_for(over).await;
        self.culprit().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_gang_has_ended_when_all_its_nodes_have() {
        let gang = Gang::new(2);
        let at = |node: u32| IndexPath::from(vec![7, node]);
        gang.ended(&at(0));
        gang.ended(&at(0));
        assert_eq!(gang.all_ended().now_or_never(), None);
        gang.ended(&at(1));
        assert_eq!(gang.all_ended().now_or_never(), Some(Ok(())));
        assert_eq!(gang.broken().now_or_never(), None);
    }

    #[test]
    fn no_node_begins_before_all_are_ready() {
        let gang = Gang::new(3);
        let at = |node: u32| IndexPath::from(vec![node]);
        gang.ended(&at(2));
        assert_eq!(gang.all_ready(&at(0)).now_or_never(), None);
        assert_eq!(gang.all_ready(&at(1)).now_or_never(), Some(Ok(())));
        // One that fails at once takes nothing back.
        gang.failed(&at(1));
        assert_eq!(gang.all_ready(&at(0)).now_or_never(), Some(Ok(())));
        let gang = Gang::new(2);
        gang.failed(&at(1));
        assert_eq!(gang.all_ready(&at(0)).now_or_never(), Some(Err(1)));
    }

    #[test]
    fn a_node_that_fails_breaks_the_gang() {
        let gang = Gang::new(3);
        gang.ended(&IndexPath::from(vec![0]));
        gang.failed(&IndexPath::from(vec![2]));
        gang.failed(&IndexPath::from(vec![1]));
        assert_eq!(gang.all_ended().now_or_never(), Some(Err(2)));
        assert_eq!(gang.broken().now_or_never(), Some(()));
        assert_eq!(gang.culprit(), Some(2));
    }
}
