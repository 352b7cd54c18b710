//! Holding a request at an exact point, so that a test can kill its sender there.

use tokio::sync::oneshot;

use super::call::Endpoint;
use super::fault::Moment;

/// A request that will be, or is, held. Dropping it lets the request continue.
#[derive(Debug)]
pub struct Pause {
    arrival: Option<oneshot::Receiver<()>>,
    arrived: bool,
    gate: oneshot::Sender<Verdict>,
}

impl Pause {
    /// Waits until the request has arrived (or has been executed) and is held. Returns false if the
    /// sandbox was stopped before.
    pub async fn reached(&mut self) -> bool {
        if let Some(arrival) = self.arrival.take() {
            self.arrived = arrival.await.is_ok();
        }
        self.arrived
    }

    /// Lets the request continue, even if its sender is gone: a real remote does not notice that either.
    pub fn release(self) {
        let _ = self.gate.send(Verdict::GoOn);
    }

    /// Cuts the connection. A request held before its execution is never executed.
    pub fn discard(self) {
        let _ = self.gate.send(Verdict::Discard);
    }
}

/// Decision on a held request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    Discard,
}

/// The points at which requests will be held.
#[derive(Debug, Default)]
pub(super) struct PausePoints(Vec<Point>);

#[derive(Debug)]
struct Point {
    endpoint: Endpoint,
    moment: Moment,
    to_come: u32,
    reached: oneshot::Sender<()>,
    gate: oneshot::Receiver<Verdict>,
}

impl PausePoints {
    /// Holds the `nth` request (from 1) to `endpoint` from now on.
    pub(super) fn add(&mut self, endpoint: Endpoint, moment: Moment, nth: u32) -> Pause {
        let (reached, on_reached) = oneshot::channel();
        let (gate, on_gate) = oneshot::channel();
        self.0.push(Point { endpoint, moment, to_come: nth.max(1), reached, gate: on_gate });
        Pause { arrival: Some(on_reached), arrived: false, gate }
    }

    /// Returns the gate at which a request must wait, if it is held at this point.
    pub(super) fn gate(&mut self, endpoint: Option<Endpoint>, moment: Moment) -> Option<oneshot::Receiver<Verdict>> {
        let here = |point: &Point| Some(point.endpoint) == endpoint && point.moment == moment;
        for point in self.0.iter_mut().filter(|point| here(point)) {
            point.to_come = point.to_come.saturating_sub(1);
        }
        let index = self.0.iter().position(|point| here(point) && point.to_come == 0)?;
        let point = self.0.swap_remove(index);
        let _ = point.reached.send(());
        Some(point.gate)
    }
}
