//! Containment of panics: none may pass unseen, and none may take the process down.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::Notify;

use crate::queue::EventQueue;

/// What a panic of any task of the host does: marks the host dead and stops its swarm.
#[derive(Clone)]
pub(crate) struct Fault {
    events: Arc<EventQueue>,
    stop: Arc<Notify>,
}

impl Fault {
    pub(crate) fn new(events: Arc<EventQueue>, stop: Arc<Notify>) -> Self {
        Self { events, stop }
    }

    /// Starts a task on the current runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let fault = self.clone();
        tokio::spawn(async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                fault.events.die(panic_text(&*panic));
                fault.stop.notify_one();
            }
        });
    }
}

/// The text of a panic, as it was given to `panic!`.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_task_kills_the_host_and_no_other_task() {
        let events = Arc::new(EventQueue::new(1, 1).unwrap());
        let stop = Arc::new(Notify::new());
        let fault = Fault::new(events.clone(), stop.clone());
        let other = Arc::new(Notify::new());

        let told = other.clone();
        fault.spawn(async { panic!("{} {}", "of a", "task") });
        fault.spawn(async move { told.notify_one() });

        stop.notified().await;
        other.notified().await;
        assert_eq!(events.panicked().as_deref(), Some("of a task"));
    }
}
