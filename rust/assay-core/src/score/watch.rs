//! Seeing a batch being scored.

/// Watches a batch, for metrics. Scores do not depend on it: this crate has no clock, and nothing here answers a question of
/// the scorer's.
pub trait Watch: Sync {
    /// Whether the components of the item at this place of the batch are timed.
    fn is_timed(&self, item: usize) -> bool;

    /// What the watcher's clock says, in ticks of its own.
    fn now(&self) -> u64;

    /// The component at this place of the spec took so many ticks on one timed item.
    fn component(&self, place: usize, ticks: u64);

    /// The accuracy component at this place of the spec spent so much fuel on one item.
    fn fuel(&self, place: usize, units: u64);
}

/// The watch of one item.
#[derive(Clone, Copy)]
pub(super) struct Timer<'a> {
    watch: Option<&'a dyn Watch>,
    is_timed: bool,
}

impl<'a> Timer<'a> {
    pub(super) fn new(watch: Option<&'a dyn Watch>, item: usize) -> Self {
        Self {
            watch,
            is_timed: watch.is_some_and(|watch| watch.is_timed(item)),
        }
    }

    /// Does the work of one component.
    pub(super) fn time<T>(self, place: usize, work: impl FnOnce() -> T) -> T {
        match self.watch {
            Some(watch) if self.is_timed => {
                let began = watch.now();
                let result = work();
                watch.component(place, watch.now().saturating_sub(began));
                result
            }
            _ => work(),
        }
    }

    pub(super) fn fuel(self, place: usize, units: u64) {
        if let Some(watch) = self.watch {
            watch.fuel(place, units);
        }
    }
}
